"""Tags become digests if the registry answers; otherwise nothing is cached under a tag that may name another build."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import load_project
from pipelines.compile_target import Target
from pipelines.compiler import compile_training
from pipelines.graphs.pipelines import TRAINING
from pipelines.image_digests import Digests
from pipelines.spec_text import read_spec
from tests.http_servers import running

NOT_CACHED = {stage.name for stage in TRAINING.stages if not stage.is_cached_by_kfp}
ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = ("sha256:" + two * 32 for two in ("ab", "cd"))


@dataclass
class Registry:
    """Its images, the login it wants, and the requests it got."""

    port: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    wants: str = ""
    says_digest: bool = True
    status: int = 200
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    registry: Registry

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        held, given = self.registry, self.headers.get("Authorization", "")
        held.requests.append((self.command, self.path, given))
        if self.path.startswith("/token?"):
            self._send(200, json.dumps({"token": "t0"}).encode())
            return
        if held.wants and given != held.wants:
            bearer = f'Bearer realm="http://{held.host}/token",service="here",scope="repository:team/naru-stages:pull"'
            challenge = bearer if held.wants.startswith("Bearer") else 'Basic realm="here"'
            self._send(401, b"", {"WWW-Authenticate": challenge})
            return
        digest = held.tags.get(self.path, "")
        if held.status != 200 or not digest:
            self._send(held.status if held.status != 200 else 404, b"")
            return
        self._send(200, b'{"schemaVersion": 2}', {"Docker-Content-Digest": digest} if held.says_digest else {})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    held = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": held}))
    server.daemon_threads = True
    held.port = server.server_port
    held.tags["/v2/team/naru-stages/manifests/1"] = FIRST
    with running(server):
        yield held


def test_a_tag_becomes_the_digest_that_it_names_now_and_is_asked_for_once(registry: Registry) -> None:
    target = Target(registry=f"{registry.host}/team", tag="1").with_digest_lookup()
    assert target.image("naru-stages:python3.12") == f"{registry.host}/team/naru-stages@{FIRST}"
    assert target.is_pinned("naru-stages:python3.12") and target.remarks() == []
    assert len(registry.requests) == 1
    registry.tags["/v2/team/naru-stages/manifests/1"] = SECOND  # another build under the same tag
    assert target.with_digest_lookup().image("naru-stages:python3.12").endswith(SECOND)


def test_digests_that_are_named_are_not_asked_for(registry: Registry) -> None:
    target = Target(registry=f"{registry.host}/team", tag="1", digests={"naru-stages": SECOND}).with_digest_lookup()
    assert target.image("naru-stages:python3.12").endswith(SECOND) and registry.requests == []


@pytest.mark.parametrize("login", ["", base64.b64encode(b"me:word").decode()])
def test_a_registry_that_wants_a_token_is_given_one_of_whoever_is_logged_in(
    registry: Registry, tmp_path: Path, login: str
) -> None:
    registry.wants = "Bearer t0"
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}} if login else {}}))
    assert Digests().find(f"{registry.host}/team/naru-stages:1") == FIRST
    [token] = [one for one in registry.requests if one[1].startswith("/token?")]
    assert token[2] == (f"Basic {login}" if login else "") and "service=here" in token[1]


def test_a_registry_that_wants_a_login_is_given_dockers(registry: Registry, tmp_path: Path) -> None:
    auth = base64.b64encode(b"me:word").decode()
    registry.wants = f"Basic {auth}"
    refused = Digests()
    assert refused.find(f"{registry.host}/team/naru-stages:1") == ""
    assert refused.unknown == {
        f"{registry.host}/team/naru-stages:1": "the registry refused the request (401): docker login"
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
    assert Digests().find(f"{registry.host}/team/naru-stages:1") == FIRST


def test_a_registry_that_does_not_say_the_digest_gives_the_manifest_that_it_is_of(registry: Registry) -> None:
    registry.says_digest = False
    expected = hashlib.sha256(b'{"schemaVersion": 2}').hexdigest()
    assert Digests().find(f"{registry.host}/team/naru-stages:1") == f"sha256:{expected}"


@pytest.mark.parametrize(
    ("image", "status", "message"),
    [
        ("naru-stages:python3.12", 200, "no registry is set"),
        ("team/naru-stages:python3.12", 200, "no registry is set"),
        ("{host}/team/naru-stages:2", 200, "no such tag"),
        ("{host}/team/naru-stages:1", 500, "refused the request (500)"),
        ("127.0.0.1:9/team/naru-stages:1", 200, "does not answer"),
    ],
)
def test_why_there_is_no_digest_is_said(registry: Registry, image: str, status: int, message: str) -> None:
    registry.status = status
    digests, image = Digests(1.0), image.replace("{host}", registry.host)
    assert digests.find(image) == "" == digests.find(image)
    assert message in digests.unknown[image]


def test_a_registry_that_is_away_is_waited_for_once() -> None:
    digests = Digests(1.0)
    digests.find("127.0.0.1:9/a:1")
    digests._pool = None  # type: ignore[assignment]
    assert digests.find("127.0.0.1:9/b:1") == "" and "does not answer" in digests.unknown["127.0.0.1:9/b:1"]


def _cached(folder: Path, target: Target) -> set[str]:
    project = load_project(ROOT / "examples" / "flights")
    tasks = read_spec(compile_training(project, "0" * 32, folder / "t.yaml", target))[0]["root"]["dag"]["tasks"]
    return {stage for stage in TRAINING.stage_names if tasks[stage]["cachingOptions"].get("enableCache")}


@pytest.mark.slow
def test_a_stage_is_cached_only_under_a_name_that_is_one_build(registry: Registry, tmp_path: Path) -> None:
    target = Target(registry=f"{registry.host}/team", tag="1").with_digest_lookup()
    pinned = {"ingest", "validate", "transform", "tune", "train", "evaluate", "explain"}
    assert _cached(tmp_path, target) == pinned - NOT_CACHED
    registry.tags.clear()
    target = target.with_digest_lookup()
    assert _cached(tmp_path, target) == set()
    [remark] = target.remarks()
    assert remark.startswith(
        f"the stages of {registry.host}/team/naru-stages:1 are not cached: the registry has no such tag"
    )
    assert "NARU_DIGESTS" in remark and "naru-server" not in remark, "what serves is not a stage"


@pytest.mark.slow
def test_whose_tags_are_final_may_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NARU_FINAL_TAGS", "1")
    target = Target.from_environment().with_digest_lookup()
    assert _cached(tmp_path, target) == set(TRAINING.stage_names) - NOT_CACHED and target.remarks() == []
    monkeypatch.setenv("NARU_FINAL_TAGS", "yes")
    with pytest.raises(ConfigError, match="found 'yes'; allowed: 0, 1"):
        Target.from_environment()
