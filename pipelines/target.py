"""The cluster that a pipeline is compiled for: read from the environment when asked, overridden by the command line."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from components._core.errors import ConfigError
from components._core.yaml_text import parse_yaml
from pipelines.pools import OURS

REGISTRY = "NARU_REGISTRY"
TAG = "NARU_TAG"
DIGESTS = "NARU_DIGESTS"
POOLS = "NARU_POOLS"
PROFILE = "NARU_PROFILE"
PULL_SECRETS = "NARU_PULL_SECRETS"
CA = "NARU_CA"

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9._-]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Target:
    """Where a spec is to run.

    Attributes:
        registry: Host and path before the image names. Environment: `NARU_REGISTRY`; default: none, as on a node that has
            the images already.
        tag: The images' version. Environment: `NARU_TAG`; default: what the component names.
        digests: Digest by image name; goes before the tag. Environment: `NARU_DIGESTS`, a file of lines `image: sha256:...`.
        pools: The cluster's pools file. Environment: `NARU_POOLS`; default: `pipelines/pools.yaml`.
        profile: Which of its profiles. Environment: `NARU_PROFILE`; default `cpu`.
        pull_secrets: Names of the Secrets that open the registry. Environment: `NARU_PULL_SECRETS`, separated by commas.
        ca: Name of the ConfigMap whose `ca.crt` the store's and MLflow's certificates are checked by. Environment: `NARU_CA`.
    """

    registry: str = ""
    tag: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    pools: Path = OURS
    profile: str = "cpu"
    pull_secrets: tuple[str, ...] = ()
    ca: str = ""

    @classmethod
    def from_environment(cls, *, registry: str = "", tag: str = "", pools: str = "", profile: str = "") -> Target:
        """Read the settings now; what is given here goes before them.

        Raises:
            ConfigError: When one of them cannot be.
        """
        secrets = os.environ.get(PULL_SECRETS, "").split(",")
        target = cls(
            registry=(registry or os.environ.get(REGISTRY, "")).removesuffix("/"),
            tag=tag or os.environ.get(TAG, ""),
            digests=_read_digests(os.environ.get(DIGESTS, "")),
            pools=Path(pools or os.environ.get(POOLS) or OURS),
            profile=profile or os.environ.get(PROFILE) or "cpu",
            pull_secrets=tuple(name.strip() for name in secrets if name.strip()),
            ca=os.environ.get(CA, ""),
        )
        target._check()
        return target

    def image(self, named: str) -> str:
        """The full name of an image that a component names, as in `naru-stages:python3.12`."""
        name, _, tag = named.partition(":")
        version = f"@{self.digests[name]}" if name in self.digests else f":{self.tag or tag}"
        return f"{self.registry}/{name}{version}" if self.registry else f"{name}{version}"

    def _check(self) -> None:
        if self.registry and not _REGISTRY.fullmatch(self.registry):
            remedy = "write host[:port][/path] in lower case, without https://"
            raise ConfigError(f"found {self.registry!r}", where=f"--registry or {REGISTRY}", remedy=remedy)
        if self.tag and not _TAG.fullmatch(self.tag):
            remedy = "letters, digits, dots and dashes, 128 at most; for digests there is NARU_DIGESTS"
            raise ConfigError(f"found {self.tag!r}", where=f"--tag or {TAG}", remedy=remedy)
        if self.registry and not self.tag and not self.digests:
            remedy = f"say the version that was pushed: --tag, {TAG} or {DIGESTS}"
            raise ConfigError("a registry is named and no version of the images", where=REGISTRY, remedy=remedy)


def _read_digests(file: str) -> dict[str, str]:
    if not file:
        return {}
    try:
        read = parse_yaml(Path(file).read_text(encoding="utf-8"), file)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=f"{DIGESTS}={file}") from None
    digests = read if isinstance(read, dict) else {}
    if not digests or not all(_DIGEST.fullmatch(str(digest)) for digest in digests.values()):
        raise ConfigError("must hold lines `image: sha256:` and 64 hexadecimal digits", where=f"{DIGESTS}={file}")
    return digests
