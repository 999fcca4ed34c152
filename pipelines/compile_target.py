"""The cluster that a pipeline is compiled for: settings of the environment, overridden by the command line."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from components._core.errors import ConfigError
from components._core.project.yaml_text import parse_yaml
from components._core.setting_names import EXTRAS
from pipelines.image_digests import DIGEST, Digests
from pipelines.pools import DEFAULT_POOLS

REGISTRY = "NARU_REGISTRY"
TAG = "NARU_TAG"
DIGESTS = "NARU_DIGESTS"
FINAL_TAGS = "NARU_FINAL_TAGS"
POOLS = "NARU_POOLS"
PROFILE = "NARU_PROFILE"
PULL_SECRETS = "NARU_PULL_SECRETS"
CA = "NARU_CA"
CREDENTIALS = "NARU_CREDENTIALS"
SECRET, IDENTITY = "secret", "identity"
"""Where stages and servers have the credentials of store and source from: Secrets, or the cloud identity of their service account."""

_EXTRAS_KEY = "extras"
"""Key of the digests file with the extras that were built into each image; `images/build --push` writes it."""

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9._-]+)*")


@dataclass(frozen=True)
class Target:
    """The cluster, images and pools that a spec is compiled for.

    Attributes:
        registry: Host and path in front of the image names. Environment: `NARU_REGISTRY`; default: none, as on a node that has
            the images already.
        tag: Version of the images. Environment: `NARU_TAG`; default: the tag in the component.
        digests: Digest by image name; goes before the tag. Environment: `NARU_DIGESTS`, a file of lines `image: sha256:...`.
        final_tags: Whether tags are never reused for another build, so that stages may be cached by tag. Environment: `NARU_FINAL_TAGS`, 1
            or 0; default 0.
        extras: The extras that the images were built with; of an image in `built_extras` that goes first. Environment: `NARU_EXTRAS`,
            separated by blanks or commas.
        built_extras: Extras by image name. Environment: the key `extras` of the file that `NARU_DIGESTS` names.
        credentials: `secret`, or `identity`: the pods' service accounts have a cloud identity, and no keys are mounted. Environment:
            `NARU_CREDENTIALS`; default `secret`.
        lookup: Looks up digests in the registry; None: digests are not looked up.
        pools: The cluster's pools file. Environment: `NARU_POOLS`; default: `pipelines/pools.yaml`.
        profile: Name of a profile in the pools file. Environment: `NARU_PROFILE`; default `cpu`.
        pull_secrets: Names of the Secrets that open the registry. Environment: `NARU_PULL_SECRETS`, separated by commas.
        ca: Name of the ConfigMap whose `ca.crt` the store's and MLflow's certificates are checked by. Environment: `NARU_CA`.
        notes: What a person should know of what was compiled for it; the compiler adds to it.
    """

    registry: str = ""
    tag: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    final_tags: bool = False
    lookup: Digests | None = field(default=None, compare=False)
    pools: Path = DEFAULT_POOLS
    profile: str = "cpu"
    pull_secrets: tuple[str, ...] = ()
    ca: str = ""
    extras: tuple[str, ...] = ()
    built_extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    credentials: str = SECRET
    notes: list[str] = field(default_factory=list, compare=False)

    @classmethod
    def from_environment(cls, *, registry: str = "", tag: str = "", pools: str = "", profile: str = "") -> Target:
        """Read the settings now; arguments override them.

        Raises:
            ConfigError: When a setting is not valid.
        """
        secrets = os.environ.get(PULL_SECRETS, "").split(",")
        digests, built_extras = _read_digests(os.environ.get(DIGESTS, ""))
        target = cls(
            registry=(registry or os.environ.get(REGISTRY, "")).removesuffix("/"),
            tag=tag or os.environ.get(TAG, ""),
            digests=digests,
            final_tags=_read_switch(FINAL_TAGS),
            pools=Path(pools or os.environ.get(POOLS) or DEFAULT_POOLS),
            profile=profile or os.environ.get(PROFILE) or "cpu",
            pull_secrets=tuple(name.strip() for name in secrets if name.strip()),
            ca=os.environ.get(CA, ""),
            extras=tuple(sorted(set(re.split(r"[\s,]+", os.environ.get(EXTRAS, "").strip())) - {""})),
            built_extras=built_extras,
            credentials=os.environ.get(CREDENTIALS) or SECRET,
        )
        target._check()
        return target

    def image(self, named: str) -> str:
        """The full name of an image that a component names, as in `naru-stages:python3.12`."""
        name, _, tag = named.partition(":")
        tagged = f"{name}:{self.tag or tag}"
        tagged = f"{self.registry}/{tagged}" if self.registry else tagged
        digest = self.digests.get(name) or (self.lookup.find(tagged) if self.lookup else "")
        return f"{tagged.rpartition(':')[0]}@{digest}" if digest else tagged

    def is_pinned(self, named: str) -> bool:
        """Whether an image's full name names one build, so that what a stage made with it may be taken from the cache."""
        image = self.image(named)
        if self.lookup and not self.final_tags:
            self.lookup.needed.add(image)
        return self.final_tags or "@sha256:" in image

    def extras_of(self, image: str) -> tuple[str, ...]:
        """The extras that are known to be built into an image, by its name as in `naru-stages`."""
        return self.built_extras.get(image, self.extras)

    def with_digest_lookup(self) -> Target:
        """Return a copy that looks up the digest of each image without one."""
        return replace(self, lookup=Digests())

    def remarks(self) -> list[str]:
        """List the notes, and the reasons why stages are not cached: the images, the cause, the remedy."""
        notes = list(dict.fromkeys(self.notes))
        if self.lookup is None:
            return notes
        remedy = f"set digests ({DIGESTS}), or declare that tags are never reused for another build ({FINAL_TAGS}=1)"
        reasons: dict[str, list[str]] = {}
        for image in sorted(self.lookup.needed & self.lookup.unknown.keys()):
            reasons.setdefault(self.lookup.unknown[image], []).append(image)
        uncached = [
            f"the stages of {', '.join(named)} are not cached: {why}; {remedy}" for why, named in reasons.items()
        ]
        return [*notes, *uncached]

    def _check(self) -> None:
        if self.credentials not in (SECRET, IDENTITY):
            allowed = f"allowed: {SECRET}, {IDENTITY}"
            raise ConfigError(f"found {self.credentials!r}; {allowed}", where=CREDENTIALS)
        if self.registry and not _REGISTRY.fullmatch(self.registry):
            remedy = "write host[:port][/path] in lower case, without https://"
            raise ConfigError(f"found {self.registry!r}", where=f"--registry or {REGISTRY}", remedy=remedy)
        if self.tag and not _TAG.fullmatch(self.tag):
            remedy = "letters, digits, dots and dashes, 128 at most; for digests there is NARU_DIGESTS"
            raise ConfigError(f"found {self.tag!r}", where=f"--tag or {TAG}", remedy=remedy)
        if self.registry and not self.tag and not self.digests:
            remedy = f"name the version that was pushed: --tag, {TAG} or {DIGESTS}"
            raise ConfigError("a registry is set without a version of the images", where=REGISTRY, remedy=remedy)


def _read_switch(name: str) -> bool:
    value = os.environ.get(name, "")
    if value not in ("", "0", "1"):
        raise ConfigError(f"found {value!r}; allowed: 0, 1", where=name)
    return value == "1"


def _read_digests(file: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Read digests and extras by image from a file of lines `image: sha256:...`; an image without extras has none."""
    if not file:
        return {}, {}
    try:
        read = parse_yaml(Path(file).read_text(encoding="utf-8"), file)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=f"{DIGESTS}={file}") from None
    digests = dict(read) if isinstance(read, dict) else {}
    named = digests.pop(_EXTRAS_KEY, None)
    if not digests or not all(DIGEST.fullmatch(str(digest)) for digest in digests.values()):
        raise ConfigError("must hold lines `image: sha256:` and 64 hexadecimal digits", where=f"{DIGESTS}={file}")
    if named is None:
        return digests, {}
    if not isinstance(named, dict) or not all(isinstance(extras, list) for extras in named.values()):
        raise ConfigError(
            "must be extras by image, as in {naru-stages: [gcs]}", where=f"{DIGESTS}={file}: {_EXTRAS_KEY}"
        )
    return digests, {image: tuple(map(str, named.get(image, ()))) for image in digests}
