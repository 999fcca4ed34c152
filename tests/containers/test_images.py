"""What holds for each image: who it runs as, what it may write to, what is in it and what is not."""

import os
import re
import subprocess

import pytest

from tests.containers.engine import BASE, IMAGES, READ_ONLY, ROOT, docker, find_uv, inspect, tag

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("images")]

LIGHT_MEGABYTES = 275
OURS = 2  # layers: the requirements, the code
LABELS = {"title", "description", "licenses", "version", "revision"}


def _run(image: str, *command: str) -> str:
    return docker("run", *READ_ONLY, "--entrypoint", command[0], tag(image), *command[1:])


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_as_a_user_by_number_who_is_not_root(image: str) -> None:
    user = inspect(tag(image))["Config"]["User"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert _run(image, "id", "-u").strip() == user.partition(":")[0]


@pytest.mark.parametrize("image", IMAGES)
def test_it_says_what_it_is(image: str) -> None:
    found = inspect(tag(image))["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in found["Labels"].items()}
    assert labels.keys() >= LABELS
    assert labels["title"] == f"naru-{image}"
    assert labels["revision"] != "unknown"
    assert found["Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.parametrize("image", ["stages", "light"])
def test_it_works_with_nothing_to_write_to_but_tmp(image: str) -> None:
    assert docker("run", *READ_ONLY, tag(image)).split()[-1] == "ready"
    health = inspect(tag(image))["Config"]["Healthcheck"]["Test"][1:]
    assert _run(image, *health) == ""


@pytest.mark.parametrize("image", IMAGES)
def test_its_layers_on_the_base_are_requirements_and_code(image: str) -> None:
    history = docker("history", "--format", "{{.CreatedBy}}", "--no-trunc", tag(image)).splitlines()
    ours = history[: len(history) - len(docker("history", "--quiet", BASE).splitlines())]
    filled = [line for line in ours if re.search(r"\b(COPY|RUN|ADD)\b", line)]
    assert len(filled) == OURS - (image == "mlflow")  # MLflow's server has no code of ours
    assert all("COPY" in line for line in filled)


@pytest.mark.parametrize("image", IMAGES)
def test_neither_compilers_nor_installers_are_in_it(image: str) -> None:
    found = _run(image, "sh", "-c", "command -v gcc g++ cc uv || true; ls /opt")
    assert found.split() == (["venv"] if image == "mlflow" else ["naru", "venv"])


@pytest.mark.parametrize("image", IMAGES)
def test_no_credential_is_in_its_layers(image: str) -> None:
    said = docker("history", "--no-trunc", tag(image)) + str(inspect(tag(image)))
    assert not re.search(r"https?://[^/\s]*:[^/\s]*@", said)
    secrets = [value for name, value in os.environ.items() if re.search("TOKEN|SECRET|PASSWORD", name)]
    assert not [secret for secret in secrets if len(secret) > 7 and secret in said]
    kept = "find /opt /tmp /root /home -name .netrc -o -name pip.conf -o -name uv.toml -o -name .pypirc -o -name .env"
    assert docker("run", "--rm", "--user", "0", "--entrypoint", "sh", tag(image), "-c", kept) == ""


@pytest.mark.parametrize("image", ["stages", "light"])
def test_only_the_components_are_in_it_of_this_repository(image: str) -> None:
    assert _run(image, "sh", "-c", "ls -A /opt/naru; find /opt/naru -name '*.md' -o -name '.git*'") == "components\n"


def test_an_image_without_tensorflow_is_small() -> None:
    added = (inspect(tag("light"))["Size"] - inspect(BASE)["Size"]) / 1e6
    assert added <= LIGHT_MEGABYTES, f"naru-light adds {added:.0f} MB to its base"
    assert "tensorflow" not in _run("light", "ls", "/opt/venv/lib/python3.12/site-packages")


def test_the_requirements_for_cuda_can_be_had() -> None:
    """They are resolved and found with their hashes; the image itself is built on demand."""
    folder = ROOT / "images" / "stages-cuda"
    command = [find_uv(), "pip", "install", "--dry-run", "--no-deps", "--require-hashes", "--target", "/tmp/none"]
    platform = ["--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_39"]
    files = ["-r", str(folder / "requirements.txt")]
    done = subprocess.run([*command, *platform, *files], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "nvidia-cudnn" in done.stderr
