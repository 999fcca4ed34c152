"""What holds for each image: who it runs as, what it may write to, what is in it and what is not, how it tells its health."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.components.tiny_models import write_model
from tests.components.tiny_onnx_model import write_onnx_model
from tests.containers.conftest import started
from tests.containers.engine import BASE, IMAGES, READ_ONLY, ROOT, base_of, docker, find_uv, inspect, tag
from tests.containers.layers import Layers, read_layers

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("images")]

MEGABYTES = {"light": 290, "mlflow": 275, "server-onnx": 380}  # without TensorFlow
OURS = 2  # layers: the requirements, the code
LABELS = {"title", "description", "licenses", "version", "revision", "base.name"}
PATIENCE = 600  # seconds; a busy machine takes minutes to start a server
SOMEONE = "54321:54321"  # some platforms choose who a container runs as
ASLEEP = ("--entrypoint", "sleep", "--stop-signal", "SIGKILL")
COMPILERS = re.compile(r"bin/([a-z0-9_]+-linux-gnu-)?(gcc|g\+\+|cc|c\+\+|clang|ld|as|rustc|go|uv)(-[0-9.]+)?$")
CREDENTIALS = re.compile(
    r"(^|/)(\.netrc|\.pypirc|\.env|\.git-credentials|\.aws|\.kube|\.docker|pip\.conf|uv\.toml|id_(rsa|ed25519)|kubeconfig)(/|$)"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that every user may read, as the server's is not known."""
    folder = write_model(tmp_path_factory.mktemp("model"), "binary_classification")
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def onnx_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for the server without TensorFlow."""
    folder = write_onnx_model(tmp_path_factory.mktemp("onnx"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module", params=IMAGES)
def layers(request: pytest.FixtureRequest, images: None) -> Layers:
    return read_layers(tag(request.param), [value.encode() for value in _secrets()])


def _secrets() -> list[str]:
    """What this process's environment holds that nobody else may read, passwords in addresses included."""
    named = [value for name, value in os.environ.items() if re.search("TOKEN|SECRET|PASSWORD|CREDENTIAL", name)]
    addressed = [found for value in os.environ.values() for found in re.findall(r"://[^/@\s]*:([^/@\s]+)@", value)]
    return [secret for secret in named + addressed if len(secret) > 7]


def _run(image: str, *command: str) -> str:
    return docker("run", *READ_ONLY, "--entrypoint", command[0], tag(image), *command[1:])


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_as_a_user_by_number_who_is_not_root(image: str) -> None:
    user = inspect(tag(image))["Config"]["User"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert _run(image, "id", "-u").strip() == user.partition(":")[0]


@pytest.mark.parametrize("image", IMAGES)
def test_it_says_what_it_is(image: str) -> None:
    found = inspect(tag(image))["Config"]["Labels"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in found.items()}
    assert labels.keys() >= LABELS
    assert labels.pop("naru.extras") == "", "an image that is built without extras has none"
    assert all(labels.values())
    assert (labels["title"], labels["licenses"], labels["base.name"]) == (f"naru-{image}", "Apache-2.0", base_of(image))
    assert re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?", labels["revision"])


@pytest.mark.parametrize("image", ["stages", "light"])
@pytest.mark.parametrize("user", ["10001:10001", SOMEONE])
def test_it_works_with_nothing_to_write_to_but_tmp(image: str, user: str) -> None:
    assert docker("run", *READ_ONLY, "--user", user, tag(image)).split()[-1] == "ready"


@pytest.mark.parametrize("image", IMAGES)
def test_it_becomes_healthy_with_nothing_to_write_to_but_tmp(image: str, model: Path, onnx_model: Path) -> None:
    """As any user, without a network and without a single capability."""
    patiently = ("--health-interval", "1s", "--health-timeout", "2m", "--health-start-period", f"{PATIENCE}s")
    options = ("--user", SOMEONE, *patiently)
    mounted = ("--volume", f"{model}:/model:ro")
    onnx = ("--volume", f"{onnx_model}:/model:ro")
    serves = {"server": mounted, "server-onnx": onnx, "server-seldon": mounted, "mlflow": ()}
    arguments = () if image in serves else ("600",)
    with started(image, *arguments, options=options + serves.get(image, ASLEEP), network="none") as container:
        assert _health(container) == "healthy", docker("logs", container)


@pytest.mark.parametrize("image", ["server", "server-onnx", "server-seldon", "mlflow"])
def test_a_server_that_does_not_answer_is_not_healthy(image: str) -> None:
    at_once = ("--health-interval", "1s", "--health-retries", "1", "--health-start-period", "1ms")
    with started(image, "600", options=(*at_once, *ASLEEP), network="none") as container:
        assert _health(container) == "unhealthy"


def _health(container: str) -> str:
    """What the engine says of a container's health once it knows."""
    end = time.monotonic() + PATIENCE
    while (said := docker("inspect", "--format", "{{.State.Health.Status}}", container).strip()) == "starting":
        assert time.monotonic() < end, docker("logs", container)
        time.sleep(0.5)
    return said


@pytest.mark.parametrize("image", IMAGES)
def test_its_layers_on_the_base_are_requirements_and_code(image: str) -> None:
    history = docker("history", "--format", "{{.CreatedBy}}", "--no-trunc", tag(image)).splitlines()
    ours = history[: len(history) - len(docker("history", "--quiet", base_of(image)).splitlines())]
    filled = [line for line in ours if re.search(r"\b(COPY|RUN|ADD)\b", line)]
    assert len(filled) == OURS - (image == "mlflow")  # MLflow's server has no code of Naru
    assert all("COPY" in line for line in filled)


def test_neither_compilers_nor_installers_are_in_any_layer(layers: Layers) -> None:
    assert any(name.endswith("bin/python3") for name in layers.names)
    assert [name for name in layers.names if COMPILERS.search(name)] == []
    ours = {name.split("/")[1] for name in layers.names if name.startswith("opt/")}
    assert ours - {""} <= {"naru", "venv"}


def test_no_credential_is_in_any_layer(layers: Layers) -> None:
    assert [name for name in layers.names if CREDENTIALS.search(name)] == []
    assert layers.with_secrets == []
    said = docker("history", "--no-trunc", layers.image) + str(inspect(layers.image))
    assert not re.search(r"https?://[^/\s]*:[^/\s]*@", said)
    assert not [secret for secret in _secrets() if secret in said]


def test_only_code_and_requirements_reach_a_builder(tmp_path: Path) -> None:
    """Whatever else lies in a checkout, below the folders that are let through too."""
    for folder in ("components", "images", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    for secret in (".env", "components/.env", "components/_core/.netrc", "examples/.aws/credentials", "kubeconfig"):
        (tmp_path / secret).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / secret).write_text("a secret")
    (tmp_path / "images" / "look").write_text(f"FROM {tag('light')}\nCOPY . /tmp/context\n")
    looking = docker("build", "--quiet", "--file", str(tmp_path / "images" / "look"), str(tmp_path)).strip()
    try:
        found = docker("run", "--rm", "--entrypoint", "find", looking, "/tmp/context", "-type", "f", "-printf", "%P\n")
    finally:
        docker("image", "rm", looking)
    assert {"components/__init__.py", "images/install", "requirements/uv.txt"} <= set(found.splitlines())
    allowed = re.compile(
        r"(components/([a-z_]+/)*[a-z_0-9]+\.(py|css|js|html|j2|jinja|json)|images/.*|requirements/uv\.txt)"
    )
    assert [name for name in found.splitlines() if not allowed.fullmatch(name)] == []


@pytest.mark.parametrize("image", ["stages", "light"])
def test_only_the_components_are_in_it_of_this_repository(image: str) -> None:
    assert _run(image, "sh", "-c", "ls -A /opt/naru; find /opt/naru -name '*.md' -o -name '.[a-z]*'") == "components\n"


@pytest.mark.parametrize(("image", "limit"), MEGABYTES.items())
def test_an_image_without_tensorflow_is_small(image: str, limit: int) -> None:
    added = (inspect(tag(image))["Size"] - inspect(BASE)["Size"]) / 1e6
    assert added <= limit, f"naru-{image} adds {added:.0f} MB to its base"
    assert "tensorflow" not in _run(image, "ls", "/opt/venv/lib/python3.12/site-packages").split()


def test_the_sizes_are_printed() -> None:
    command = [ROOT / "images" / "build", "light"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
    assert re.fullmatch(r"naru-light:python3.12 +\d+ MB +\d+ MB on its base +\d+ s\n", said)


def test_the_requirements_for_cuda_can_be_had() -> None:
    """Each file, with its hash, for the platform of the image, which itself is built on demand."""
    command = [find_uv(), "pip", "install", "--dry-run", "--no-deps", "--require-hashes", "--target", "/tmp/none"]
    platform = ["--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_39"]
    files = ["-r", str(ROOT / "images" / "stages-cuda" / "requirements.txt")]
    done = subprocess.run([*command, *platform, *files], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "nvidia-cudnn" in done.stderr


@pytest.mark.parametrize("image", [*IMAGES, "stages-cuda"])
def test_its_requirements_are_what_its_imports_resolve_to(image: str, tmp_path: Path) -> None:
    """As `make lock` resolves them, which keeps a pin that still serves: a name too many or too few fails here."""
    committed = ROOT / "images" / image / "requirements.txt"
    resolved = Path(shutil.copy(committed, tmp_path))
    command = [find_uv(), "pip", "compile", "--quiet", "--generate-hashes", "--only-binary", "apache-beam"]
    command += ["--override", f"images/{image}/overrides.txt"]
    if image == "server-seldon":  # which fits neither family
        command += ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"]
    else:
        command += ["--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_39"]
        command += ["-c", "requirements/modern.txt"]
    command += [f"images/{image}/requirements.in", "-o", str(resolved)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    pins = [re.findall(r"^[a-z0-9][^ ]*==[^ ]+", file.read_text(), re.MULTILINE) for file in (resolved, committed)]
    assert pins[0] == pins[1]
    assert len(pins[0]) > 10
