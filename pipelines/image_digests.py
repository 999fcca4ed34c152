"""Look up the digest of an image tag, by which it names one build: from the registry, over its HTTP API, version 2.

KFP's cache key contains the image's name. Under a tag that is reused for another build, the cache would return results of the old build;
a digest names one build for ever. A registry that does not answer is tried once, and the stages of its images are then not cached.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import certifi
import urllib3

from components._core.errors import ServiceError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SECONDS = 5.0
"""Timeout of a request to a registry."""

_MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Digests:
    """Digests of images, each looked up once.

    Attributes:
        unknown: By image, the reason why its digest is unknown.
        needed: Images whose stages are cached only if their digest is known.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.unknown: dict[str, str] = {}
        self.needed: set[str] = set()
        self._known: dict[str, str] = {}
        self._unreachable: dict[str, str] = {}
        ca = os.environ.get("SSL_CERT_FILE") or certifi.where()
        timeout = urllib3.Timeout(connect=seconds, read=seconds)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False, cert_reqs="CERT_REQUIRED", ca_certs=ca)

    def find(self, image: str) -> str:
        """Find the digest of an image, `host/path/name:tag`; empty when it is unknown: `unknown` has the reason."""
        if image in self.unknown or image in self._known:
            return self._known.get(image, "")
        host, _, rest = image.partition("/")
        try:
            self._known[image] = self._fetch_digest(host, *_split_image(host, rest))
        except ServiceError as error:
            self.unknown[image] = error.message
            return ""
        return self._known[image]

    def _fetch_digest(self, host: str, repository: str, tag: str) -> str:
        if host in self._unreachable:
            raise ServiceError(self._unreachable[host])
        url = f"{_scheme(host)}://{_api_host(host)}/v2/{repository}/manifests/{tag}"
        try:
            answer = self._request("HEAD", url, {"Accept": _MANIFEST_TYPES})
            if answer.status == 401:
                headers = {
                    "Accept": _MANIFEST_TYPES,
                    **self._authorize(host, answer.headers.get("WWW-Authenticate", "")),
                }
                answer = self._request("HEAD", url, headers)
            else:
                headers = {"Accept": _MANIFEST_TYPES}
            return self._read_digest(url, headers, answer)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._unreachable[host] = f"the registry {host} does not answer: {str(error).rpartition('>: ')[2][:120]}"
            raise ServiceError(self._unreachable[host]) from None

    def _read_digest(self, url: str, headers: Mapping[str, str], answer: urllib3.BaseHTTPResponse) -> str:
        if answer.status == 404:
            raise ServiceError("the registry has no such tag; has it been pushed?")
        if answer.status != 200:
            remedy = ": docker login" if answer.status in (401, 403) else ""
            raise ServiceError(f"the registry refused the request ({answer.status}){remedy}")
        digest = str(answer.headers.get("Docker-Content-Digest", ""))
        if not digest:  # the specification only recommends the header
            digest = f"sha256:{hashlib.sha256(self._request('GET', url, headers).data).hexdigest()}"
        if not DIGEST.fullmatch(digest):
            raise ServiceError(f"the registry returned no valid digest: {digest[:80]!r}")
        return digest

    def _authorize(self, host: str, challenge: str) -> dict[str, str]:
        """Build the headers for a registry: the login of `docker login`, or a token, anonymous where there is no login."""
        login = _docker_login(host)
        kind, _, rest = challenge.partition(" ")
        challenge_fields = dict(_CHALLENGE.findall(rest))
        if kind.lower() != "bearer" or "realm" not in challenge_fields:
            return login
        if urlsplit(challenge_fields["realm"]).scheme != "https" and _scheme(host) == "https":
            raise ServiceError("the registry asks for a login over plain HTTP, which Naru does not send")
        query = urlencode({name: challenge_fields[name] for name in ("service", "scope") if name in challenge_fields})
        answer = self._request("GET", f"{challenge_fields['realm']}?{query}", login)
        try:
            said: Any = json.loads(answer.data)
            return {"Authorization": f"Bearer {said.get('token') or said['access_token']}"}
        except (ValueError, KeyError, AttributeError):
            raise ServiceError(f"the registry returned no token ({answer.status}): docker login") from None

    def _request(self, verb: str, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        return self._pool.request(verb, url, headers=dict(headers))


def _split_image(host: str, rest: str) -> tuple[str, str]:
    """Split what follows the host into repository and tag.

    Raises:
        ServiceError: When the image names no registry: a node's local build has no known digest.
    """
    if not rest or not re.search(r"[.:]|^localhost$", host):
        raise ServiceError("no registry is set (NARU_REGISTRY), so the digest cannot be looked up")
    repository, _, tag = rest.rpartition(":")
    return repository, tag


def _scheme(host: str) -> str:
    return "http" if _LOOPBACK.fullmatch(host) else "https"


def _api_host(host: str) -> str:
    return "registry-1.docker.io" if host in ("docker.io", "index.docker.io") else host


def _docker_login(host: str) -> dict[str, str]:
    """Read the header of `docker login`; empty without a login, or when a credential helper keeps it."""
    folder = os.environ.get("DOCKER_CONFIG") or str(Path("~/.docker").expanduser())
    try:
        held = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        auths = held.get("auths", {})
        names = (
            host,
            f"https://{host}",
            f"https://{host}/v1/",
            *(["https://index.docker.io/v1/"] if host == "docker.io" else []),
        )
        auth = next((str(auths[name]["auth"]) for name in names if auths.get(name, {}).get("auth")), "")
        base64.b64decode(auth, validate=True)
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return {"Authorization": f"Basic {auth}"} if auth else {}
