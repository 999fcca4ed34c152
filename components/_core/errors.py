"""Every error that Naru raises, as one tree.

    NaruError                     exit 1   something failed in Naru itself
    ├── ConfigError               exit 2   the caller must change something: project file, arguments, settings, permissions
    │   └── UserCodeError         exit 3   preprocessing.py or model.py does not import, raises or returns an unusable value
    ├── DataError                 exit 4   the data cannot be read as the project says
    │   └── DataBlockedError      exit 5   the data was read, and validation blocked it
    ├── ModelError                exit 6   training or the model went wrong: NaN, wrong shape, not loadable
    ├── ServiceError              exit 7   an external service failed: object store, registry, server
    │   └── UnavailableError      exit 8   ... and may recover: retried a bounded number of times, then reported
    └── RepeatedRunError          exit 9   another run has the cause of this one, which ends without doing anything

A message says what was wrong, where, what is allowed and what to do. Errors of other libraries are translated where
they enter; callers of Naru see only this tree. No message contains a credential: each part is masked. An interrupted run
exits with 130, as in shells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from components._core.credentials import mask_credentials

INTERRUPTED_EXIT_CODE = 130


class NaruError(Exception):
    """The root of the tree.

    Args:
        message: What was wrong and what is allowed, in one or two sentences.
        where: File, field, row or service in which it was found.
        remedy: What the person can do about it, as an instruction.
    """

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "internal"

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        self.message = mask_credentials(message)
        self.where = mask_credentials(where)
        self.remedy = mask_credentials(remedy)
        super().__init__(self.message)

    def to_dict(self) -> dict[str, str]:
        """Return the error as other processes, `--json` and `run.json` represent it; its exit code follows from its kind."""
        return {"kind": self.kind, "message": self.message, "where": self.where, "remedy": self.remedy}

    @staticmethod
    def from_dict(error: Mapping[str, Any]) -> NaruError:
        """Restore the error that `to_dict` wrote, as the class of its kind; an unknown kind becomes an internal error."""
        texts = {name: str(error.get(name) or "") for name in ("message", "where", "remedy")}
        return _BY_KIND.get(str(error.get("kind")), NaruError)(
            texts["message"], where=texts["where"], remedy=texts["remedy"]
        )

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  -> {self.remedy}" if self.remedy else ""
        return f"{place}{self.message}{advice}"


class ConfigError(NaruError):
    """The caller must change something: the project file, an argument, a setting, a permission."""

    exit_code = 2
    kind = "config"


class UserCodeError(ConfigError):
    """The project's own Python does not import, raises, or returns something that cannot be used."""

    exit_code = 3
    kind = "code"


class DataError(NaruError):
    """The data cannot be read as the project says."""

    exit_code = 4
    kind = "data"


class DataBlockedError(DataError):
    """The data was read, and validation blocked it."""

    exit_code = 5
    kind = "data_blocked"


class ModelError(NaruError):
    """Training or the model went wrong: a loss that is not a number, a wrong shape, a model that does not load."""

    exit_code = 6
    kind = "model"


class ServiceError(NaruError):
    """An external service failed: object store, registry, model server, cluster."""

    exit_code = 7
    kind = "service"


class UnavailableError(ServiceError):
    """An external service is unavailable for now: retried a bounded number of times before this is raised."""

    exit_code = 8
    kind = "unavailable"


class RepeatedRunError(NaruError):
    """Another run has the cause of this one, which ends without doing anything."""

    exit_code = 9
    kind = "repeated"


_BY_KIND: dict[str, type[NaruError]] = {
    error.kind: error
    for error in (
        NaruError,
        ConfigError,
        UserCodeError,
        DataError,
        DataBlockedError,
        ModelError,
        ServiceError,
        UnavailableError,
        RepeatedRunError,
    )
}


def first_line(error: Exception) -> str:
    """Return the beginning of an error's message, at most 300 characters of its first line."""
    return str(error).partition("\n")[0][:300]
