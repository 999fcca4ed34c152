"""The images' files, where no engine is needed to look at them, and how they are built, by an engine that writes down what it is called with."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

IMAGES = Path(__file__).resolve().parents[2] / "images"


def test_the_image_for_cuda_is_built_from_the_ordinary_one_and_differs_in_its_requirements_only() -> None:
    """It is built on demand: what CI sees of the other holds for it."""
    assert not (IMAGES / "stages-cuda" / "Dockerfile").exists()
    text = (IMAGES / "stages" / "Dockerfile").read_text()
    assert "images/${IMAGE}/requirements.txt" in text and "images/stages/requirements" not in text
    wanted = {image: set(_wanted(image)) for image in ("stages", "stages-cuda")}
    differing = {"tensorflow-cpu==2.21.0", "tensorflow[and-cuda]==2.21.0"}
    assert wanted["stages"] ^ wanted["stages-cuda"] == differing


EXTRAS = sorted(file.relative_to(IMAGES) for file in IMAGES.glob("*/extras/*.in"))


def test_every_extra_of_a_source_format_or_framework_can_be_built_into_the_stages() -> None:
    raw = tomllib.loads((IMAGES.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {name: raw[name] for name in raw if name not in ("local", "examples", "dev", "seldon")}
    wanted["torch"] = [package for package in wanted["torch"] if not package.startswith("torch")]  # never locked
    assert {file.stem for file in (IMAGES / "stages" / "extras").glob("*.in")} == wanted.keys()
    for extra, packages in wanted.items():
        on_linux = [package for package in packages if "== 'darwin'" not in package]
        assert set(_names("stages", f"extras/{extra}.in")) == {re.split(r"[=<>;]", package)[0] for package in on_linux}


@pytest.mark.parametrize("file", EXTRAS, ids=str)
def test_an_extra_is_hashed_and_has_the_versions_that_its_image_has(file: Path) -> None:
    locked = (IMAGES / file).with_suffix(".txt")
    text, own = locked.read_text(), _pins(IMAGES / file.parts[0] / "requirements.txt")
    pins = _pins(locked)
    assert set(_names(file.parts[0], f"extras/{file.name}")) <= pins.keys()
    assert {name: version for name, version in pins.items() if own.get(name, version) != version} == {}
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins) and all("--hash=sha256:" in block for block in blocks)


def test_pytorch_is_in_no_lock_file() -> None:
    locks = [
        *(IMAGES.parent / "requirements").glob("*.txt"),
        *IMAGES.glob("*/requirements.txt"),
        *IMAGES.glob("*/extras/*.txt"),
    ]
    assert len(locks) > 20
    assert [lock.name for lock in locks if "torch" in _pins(lock)] == []


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the engine was called with; it has built each image with the extras that its label says."""
    calls = tmp_path / "calls"
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/bash
echo "$@" >>{calls}
case "$*" in
  *.Size*) echo 1000000 ;;
  *Labels*naru-stages*) echo avro gcs ;;
  *Labels*) echo ;;
  push*) echo "1.0: digest: sha256:{"ab" * 32} size: 1" ;;
esac
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("DIGESTS", str(tmp_path / "digests.yaml"))
    return calls


def _build(*arguments: str, extras: str = "") -> subprocess.CompletedProcess[str]:
    command = ["env", f"EXTRAS={extras}", str(IMAGES / "build"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_each_image_gets_those_extras_that_it_can_have(engine: Path) -> None:
    done = _build("stages", "light", "stages-cuda", extras="sklearn gcs,avro")
    builds = [line for line in engine.read_text().splitlines() if line.startswith("build ")]
    assert [re.search(r"--build-arg EXTRAS=(.*?) --build-arg", line)[1] for line in builds] == [  # type: ignore[index]
        "avro gcs sklearn", "gcs", "avro gcs sklearn"
    ]  # fmt: skip
    assert "with avro gcs sklearn" in done.stdout.splitlines()[0]
    assert 'NARU_EXTRAS="avro gcs sklearn"' in done.stderr and done.returncode == 0


def test_without_extras_nothing_is_said_of_them(engine: Path) -> None:
    done = _build("light")
    assert "--build-arg EXTRAS= --build-arg" in engine.read_text() and "with" not in done.stdout and not done.stderr


@pytest.mark.parametrize(("images", "extras", "known"), [((), "gsc", "avro bigquery"), (("light",), "avro", "gcs")])
def test_an_extra_that_no_image_can_have_is_refused(
    engine: Path, images: tuple[str, ...], extras: str, known: str
) -> None:
    done = _build(*images, extras=extras)
    assert (
        done.returncode == 2
        and f"no extra {extras} can be built into" in done.stderr
        and f"there are: {known}" in done.stderr
    )
    assert not engine.exists()


def test_the_image_of_pytorch_is_built_on_the_stages_with_the_build_that_is_named(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_INDEX", "https://example/cu126")
    done = _build("stages-torch")
    assert done.returncode == 0 and "with avro gcs" in done.stdout  # the extras of the stages that it is built on
    line = next(line for line in engine.read_text().splitlines() if line.startswith("build "))
    assert "--file images/stages-torch/Dockerfile --tag naru-stages-torch:python3.12" in line
    assert "BASE_IMAGE=naru-stages:python3.12" in line and "TORCH_INDEX=https://example/cu126" in line
    assert "TORCH=" not in line  # the newest


def test_what_is_pushed_has_its_extras_in_the_digests_file(engine: Path, tmp_path: Path) -> None:
    done = _build("--push", "registry.example/team", "stages", "light")
    assert done.returncode == 0, done.stderr
    held = yaml.safe_load((tmp_path / "digests.yaml").read_text())
    assert held.pop("extras") == {"naru-stages": ["avro", "gcs"]}
    assert held == dict.fromkeys(("naru-stages", "naru-light"), "sha256:" + "ab" * 32)


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def _names(image: str, file: str) -> list[str]:
    lines = (IMAGES / image / file).read_text().splitlines()
    return [line.partition("#")[0].strip() for line in lines]


def _wanted(image: str) -> list[str]:
    lines = (IMAGES / image / "requirements.in").read_text().splitlines()
    return [line.partition("#")[0].strip() for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("image", ["server", "server-seldon"])
def test_a_server_image_has_every_folder_that_its_code_imports(image: str) -> None:
    copied = set(re.findall(r"^COPY components/(\w+) ", (IMAGES / image / "Dockerfile").read_text(), re.MULTILINE))
    components = IMAGES.parent / "components"
    imported = {
        name
        for folder in copied
        for file in (components / folder).rglob("*.py")
        for name in re.findall(r"^\s*from components\.(_\w+|serve)", file.read_text(), re.MULTILINE)
    }
    assert imported <= copied
