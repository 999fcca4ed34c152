"""The check that says why a slower path over a library's public interface was taken.

Where a name that a library does not publish saves seconds, it is imported with `from module import name` in one module. A
release that moves the name makes that import fail, and the caller takes the public path instead. `tests/architecture/
test_private_names.py` lists the names and the versions that have them.
"""

from __future__ import annotations

from importlib.metadata import version

from components._core.checks import Check


def public_path_check(error: ImportError, package: str, instead: str) -> Check:
    """Return a check that warns of the missing name.

    Args:
        error: The failed import.
        package: The distribution that lacks the name, such as `tensorflow-transform`.
        instead: What was done instead, and what it costs.

    Raises:
        ImportError: The error itself, when it is not about that package.
    """
    if (error.name or "").partition(".")[0] != package.replace("-", "_"):
        raise error
    missing = error.msg.partition(" (")[0]  # without the path of the file
    reason = f"{package} {version(package)}: {missing}; {instead}. Install the version that requirements/ pins"
    return Check("private names", "warn", reason=reason)
