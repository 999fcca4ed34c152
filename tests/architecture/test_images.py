"""The images' files, where no engine is needed to look at them."""

from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "images"


def test_the_image_for_cuda_is_built_from_the_ordinary_one_and_differs_in_its_requirements_only() -> None:
    """It is built on demand: what CI sees of the other holds for it."""
    assert not (IMAGES / "stages-cuda" / "Dockerfile").exists()
    text = (IMAGES / "stages" / "Dockerfile").read_text()
    assert "images/${IMAGE}/requirements.txt" in text and "images/stages/requirements" not in text
    wanted = {image: set(_wanted(image)) for image in ("stages", "stages-cuda")}
    differing = {"tensorflow-cpu==2.21.0", "tensorflow[and-cuda]==2.21.0"}
    assert wanted["stages"] ^ wanted["stages-cuda"] == differing


def _wanted(image: str) -> list[str]:
    lines = (IMAGES / image / "requirements.in").read_text().splitlines()
    return [line.partition("#")[0].strip() for line in lines if not line.startswith("#")]
