"""Google Cloud, as Naru uses it: credentials of the environment, and Google's errors as Naru's.

Credentials are Google's Application Default Credentials: the key file that `GOOGLE_APPLICATION_CREDENTIALS` names, those of
`gcloud auth application-default login`, or the identity of the machine or pod (Workload Identity).
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components._core.errors import ConfigError, ServiceError, UnavailableError, first_line

CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
REFUSED_REMEDY = f"check {CREDENTIALS}, or the pod's service account, and its roles"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Import Google's packages without their warning about the age of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def google_credentials() -> tuple[Any, str]:
    """Return the credentials and the project that they belong to; the project may be empty.

    They are found once in a process, so that their token is fetched once.

    Raises:
        ConfigError: When there are none.
    """
    return _find_credentials(os.environ.get(CREDENTIALS, ""), os.getpid())


@functools.lru_cache(maxsize=4)
def _find_credentials(_file: str, _process: int) -> tuple[Any, str]:
    with quiet_imports():
        import google.auth
        from google.auth.exceptions import GoogleAuthError

    try:
        credentials, project = google.auth.default(scopes=_SCOPES)
    except GoogleAuthError as error:
        remedy = (
            f"set {CREDENTIALS} to a key file, run `gcloud auth application-default login`, or use Workload Identity"
        )
        raise ConfigError(f"no credentials for Google Cloud: {first_line(error)}", remedy=remedy) from error
    return credentials, project or ""


@contextmanager
def translated_errors(what: str, where: str) -> Iterator[None]:
    """Raise errors that mean the same for every service of Google as Naru's; others pass.

    Args:
        what: The service, for messages: `Google Cloud Storage`.
        where: What was read or written, for messages.

    Raises:
        ServiceError: When credentials are refused or have expired, or a permission is missing.
        UnavailableError: When the service does not answer.
    """
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError, TransportError

    try:
        yield
    except (requests.exceptions.RequestException, TransportError) as error:
        raise _unavailable(what, where, error) from error
    except GoogleAuthError as error:
        message = f"Google's credentials are refused or have expired: {first_line(error)}"
        raise ServiceError(message, where=where, remedy=REFUSED_REMEDY) from error
    except GoogleAPIError as error:
        code = getattr(error, "code", None)
        if code in (401, 403):
            raise ServiceError(f"{what} refuses: {first_line(error)}", where=where, remedy=REFUSED_REMEDY) from error
        if code is None or code == 429 or code >= 500:  # a RetryError has no code: it wraps the last failure
            raise _unavailable(what, where, getattr(error, "cause", None) or error) from error
        raise


def _unavailable(what: str, where: str, error: Exception) -> UnavailableError:
    message = f"{what} does not answer: {first_line(error)}"
    return UnavailableError(message, where=where, remedy="check the network, then run again")
