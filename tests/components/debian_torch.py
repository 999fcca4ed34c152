"""PyTorch for tests. PyPI has only its 3 GB build for GPUs, so no environment of the tests has it: where Debian's is installed, that is used.

apt-get install --no-install-recommends python3-torch     # for Debian's own Python; 3.11 of bookworm is that of the older family
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

REASON = "needs PyTorch: apt-get install python3-torch, for the Python of the same version"
_DEBIAN = Path("/usr/lib/python3/dist-packages")


def import_torch() -> bool:
    """Import PyTorch, that of the environment or Debian's; returns whether there is one.

    Debian's packages are on the path only while it is imported: other tests must not find any of them.
    """
    if "torch" in sys.modules:
        return True
    sys.path.append(str(_DEBIAN))  # the last one: what the environment has comes first
    try:
        importlib.import_module("torch")
        importlib.import_module("torch.onnx")
    except ImportError:  # there is none, or it was built for another Python
        return False
    finally:
        sys.path.remove(str(_DEBIAN))
    return True


def link_torch(folder: Path) -> str:
    """Return a folder for the path of another process, by which it finds the same PyTorch. Needs what `import_torch` finds.

    Of Debian's packages it has a link to PyTorch alone; one that was installed has what it needs beside it.
    """
    package = Path(str(sys.modules["torch"].__file__)).parent
    if package.parent != _DEBIAN:
        return str(package.parent)
    folder.mkdir()
    (folder / package.name).symlink_to(package, target_is_directory=True)
    return str(folder)
