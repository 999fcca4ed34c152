"""Address of the KFP server and credentials for it, from the environment. Variables that kfp itself reads have kfp's names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from components._core.credentials import find_credentials
from components._core.errors import ConfigError
from components._core.project.cron import check_timezone
from components._core.setting_names import KFP_ENDPOINT as ENDPOINT

UI = "KF_PIPELINES_UI_ENDPOINT"
TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 - the name of a variable
TOKEN = "NARU_KFP_TOKEN"  # noqa: S105 - the name of a variable
CA = "NARU_KFP_CA"
NAMESPACE = "NARU_KFP_NAMESPACE"
TIMEZONE = "NARU_KFP_TIMEZONE"

_FORWARD = "kubectl port-forward --namespace kubeflow service/ml-pipeline 8888, then KF_PIPELINES_ENDPOINT=http://localhost:8888"


@dataclass(frozen=True)
class Connection:
    """Address, credentials and settings of a KFP server.

    Attributes:
        endpoint: Its address. Environment: `KF_PIPELINES_ENDPOINT`; no default.
        ui: The address of its web page, for links. Environment: `KF_PIPELINES_UI_ENDPOINT`; default: no links.
        token_file: A file with a bearer token, read again for each request, as mounted tokens change. Environment:
            `KF_PIPELINES_SA_TOKEN_PATH`.
        token: The token itself, where there is no file. Environment: `NARU_KFP_TOKEN`. Never shown.
        ca: File of the certificates that the server's is verified with. Environment: `NARU_KFP_CA`; default: the machine's.
        namespace: The profile, on a server with several. Environment: `NARU_KFP_NAMESPACE`; default: the server's only one.
        timezone: Time zone in which the server reads cron: `CRON_SCHEDULE_TIMEZONE` of its ml-pipeline-scheduledworkflow. Environment:
            `NARU_KFP_TIMEZONE`; default UTC, as KFP's own manifests have it.
    """

    endpoint: str
    ui: str = ""
    token_file: Path | None = None
    token: str = field(default="", repr=False)
    ca: str = ""
    namespace: str = ""
    timezone: str = "UTC"

    @classmethod
    def from_environment(cls) -> Connection:
        """Read the settings now.

        Raises:
            ConfigError: When there is no endpoint, or a setting is not valid.
        """
        file = os.environ.get(TOKEN_PATH, "")
        connection = cls(
            endpoint=os.environ.get(ENDPOINT, "").rstrip("/"),
            ui=os.environ.get(UI, "").rstrip("/"),
            token_file=Path(file) if file else None,
            token=os.environ.get(TOKEN, "").strip(),
            ca=os.environ.get(CA) or os.environ.get("SSL_CERT_FILE", ""),
            namespace=os.environ.get(NAMESPACE, ""),
            timezone=_timezone(os.environ.get(TIMEZONE) or "UTC"),
        )
        connection._check()
        return connection

    def headers(self) -> dict[str, str]:
        """Build the authorization headers of a request.

        Raises:
            ConfigError: When the token's file cannot be read, or its content is not a token.
        """
        token = self.token
        if self.token_file:
            try:
                token = self.token_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                message = f"cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}"
                raise ConfigError(message, where=f"{TOKEN_PATH}={self.token_file}") from None
        if not re.fullmatch(
            r"[!-~]*", token
        ):  # a header of several lines would be refused with the token in the message
            raise ConfigError(
                "contains blanks or line breaks, which no token has", where=TOKEN_PATH if self.token_file else TOKEN
            )
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _check(self) -> None:
        if not self.endpoint:
            raise ConfigError("no KFP server is set", where=ENDPOINT, remedy=_FORWARD)
        if not re.fullmatch(r"https?://[^\s/@]+(/[^\s@]*)?", self.endpoint):
            allowed = "https://host[:port][/path] or http://..., without a name or password in it"
            raise ConfigError(f"not a valid address; allowed: {allowed}", where=ENDPOINT, remedy=_FORWARD)
        if found := find_credentials(self.ui):
            remedy = "take it out: the address is shown beside each run, and a browser asks for the rest"
            raise ConfigError(f"the address holds {found}", where=UI, remedy=remedy)
        if self.ca and not Path(self.ca).is_file():
            raise ConfigError(f"there is no such file: {self.ca}", where=CA)

    @property
    def remedy(self) -> str:
        """Remedy when no server answers."""
        return f"is the address right ({ENDPOINT})? From outside the cluster: {_FORWARD}"


def _timezone(name: str) -> str:
    try:
        return check_timezone(name)
    except ValueError as error:
        raise ConfigError(str(error), where=TIMEZONE) from None
