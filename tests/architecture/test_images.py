"""The images' files, where no engine is needed to look at them."""

import re
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "images"


def _instructions(image: str) -> list[str]:
    """A Dockerfile without its comments, the image's name and what it says of itself."""
    lines = (
        (IMAGES / image / "Dockerfile")
        .read_text()
        .replace(f"naru-{image}", "")
        .replace(f"images/{image}/", "")
        .splitlines()
    )
    return [line for line in lines if not re.search(r"^#|image\.description", line)]


def test_the_image_for_cuda_differs_from_the_ordinary_one_in_its_requirements_only() -> None:
    """It is built on demand: what CI sees of the other holds for it."""
    assert _instructions("stages-cuda") == _instructions("stages")
    assert len(_instructions("stages")) > 15
    wanted = {image: set(_wanted(image)) for image in ("stages", "stages-cuda")}
    differing = {"tensorflow-cpu==2.21.0", "tensorflow[and-cuda]==2.21.0"}
    assert wanted["stages"] ^ wanted["stages-cuda"] == differing


def _wanted(image: str) -> list[str]:
    lines = (IMAGES / image / "requirements.in").read_text().splitlines()
    return [line.partition("#")[0].strip() for line in lines if not line.startswith("#")]
