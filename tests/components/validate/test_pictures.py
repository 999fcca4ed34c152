"""Pictures: each kind of finding on a fault that was put in, and none where there is no fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from sklearn.datasets import load_digits

from components._core.checks import Check
from components._core.examples.artifact import Manifest
from components._core.project.gate_config import DataGates
from components._core.project.project_file import Project
from components.validate import findings
from components.validate.pictures.measured_pictures import read_measures
from components.validate.pictures.outliers import lower_bound, upper_bound
from components.validate.pictures.picture_checks import PICTURE_KINDS, PictureFindings, check_pictures
from components.validate.pictures.picture_gallery import MOST_SHOWN
from tests.components.validate.made_pictures import MEASURED, Sample, encoded, scene, write_pictures

SCENES = [
    Sample(encoded(scene(seed)), "ab"[seed % 2], "train" if seed < 50 else "eval" if seed < 55 else "test")
    for seed in range(60)
]


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., PictureFindings]:
    """Check pictures written as examples."""

    def run(samples: list[Sample], **gates: object) -> PictureFindings:
        examples = write_pictures(samples, tmp_path / "examples")
        of = DataGates.model_validate({"pictures": gates})
        found = check_pictures(examples, Manifest.load(examples), "label", True, of, findings.severities({}))
        assert found is not None
        return found

    return run


def _by_kind(found: PictureFindings) -> dict[str, Check]:
    return {check.name.replace(" ", "_"): check for check in found.checks}


def _warned(found: PictureFindings) -> set[str]:
    return {kind for kind, check in _by_kind(found).items() if check.status != "pass"}


def test_scenes_without_a_fault_pass_every_check(check):
    found = check(SCENES)
    assert {*_by_kind(found)} == {*PICTURE_KINDS}
    assert {check.status for check in found.checks} == {"pass"} and {check.measured for check in found.checks} == {0.0}


def _dim(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def _fade(picture: Image.Image) -> Image.Image:
    return Image.blend(picture, Image.new("RGB", picture.size, "white"), 0.92)


FAULTS: dict[str, Callable[[Image.Image], Sample]] = {
    "misnamed_pictures": lambda picture: Sample(encoded(picture), named="JPEG"),
    "animated_pictures": lambda picture: Sample(encoded(picture, "PNG", save_all=True, append_images=[scene(900)])),
    "mixed_picture_modes": lambda picture: Sample(encoded(picture.convert("L"))),
    "picture_sizes": lambda picture: Sample(encoded(scene(801, 8 * picture.width))),
    "picture_aspects": lambda picture: Sample(encoded(picture.resize((128, 32)))),
    "blank_pictures": lambda picture: Sample(encoded(Image.new("RGB", picture.size, "teal"))),
    "dark_pictures": lambda picture: Sample(encoded(_dim(0.08)(picture))),
    "bright_pictures": lambda picture: Sample(encoded(_fade(picture))),
    "blurred_pictures": lambda picture: Sample(encoded(picture.filter(ImageFilter.GaussianBlur(3)))),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_one_picture_is_found_in_that_picture_alone(check, kind):
    found = check([*SCENES[:50], FAULTS[kind](scene(800)), *SCENES[50:]])
    assert _warned(found) == {kind}
    (unusual,) = (each for each in found.unusual if each.kind == kind)
    assert unusual.rows.tolist() == [50]
    assert "1 of 61 pictures" in _by_kind(found)[kind].reason


def test_the_modes_that_a_project_allows_are_no_finding_and_others_are(check):
    grey = Sample(encoded(scene(800).convert("L")))
    assert not _warned(check([*SCENES, grey], modes=["L", "RGB"]))
    assert _warned(check(SCENES, modes=["L"])) == {"mixed_picture_modes"}


def test_a_name_that_says_the_same_kind_in_other_letters_or_none_is_no_finding(check):
    names = [Sample(encoded(scene(700), "JPEG"), named="JPG"), Sample(encoded(scene(701), "JPEG"), named=None)]
    assert not _warned(check([*SCENES, *names]))


def _drawing(seed: int) -> Image.Image:
    picture = Image.new("L", (112, 112), 255)
    ends = np.random.default_rng(seed).integers(10, 102, (3, 4)).tolist()
    for line in ends:
        ImageDraw.Draw(picture).line(line, fill=0, width=3)
    return picture.resize((28, 28), Image.Resampling.BOX)


def test_drawings_on_white_and_digits_on_black_are_neither_bright_nor_dark_nor_copies(check):
    drawings = [Sample(encoded(_drawing(seed)), "ab"[seed % 2]) for seed in range(100)]
    assert not _warned(check(drawings))
    digits = load_digits()
    pictures = [Image.fromarray((image * 15).astype(np.uint8)) for image in digits.images[:300]]
    labelled = zip(pictures, digits.target[:300].tolist(), strict=True)
    found = check(
        [
            Sample(encoded(picture), str(label), "train" if place < 250 else "test")
            for place, (picture, label) in enumerate(labelled)
        ]
    )
    assert not _warned(found)
    near = next(each for each in found.copies if each.kind == "near_duplicate_pictures")
    assert near.alike > 50 and near.count == 0  # the hash alone takes a digit for another


def test_dark_pictures_are_no_finding_where_all_are_dark(check):
    assert not _warned(check([Sample(encoded(_dim(0.15)(scene(seed)))) for seed in range(60)]))


def test_the_bounds_alone_count_where_there_are_few_pictures(check):
    found = check(
        [Sample(encoded(scene(1))), Sample(encoded(_dim(0.08)(scene(2)))), Sample(encoded(scene(3).resize((6, 6))))]
    )
    assert _warned(found) == {"dark_pictures", "picture_sizes"}


def test_a_share_of_unusual_pictures_may_be_allowed(check):
    dark = Sample(encoded(_dim(0.08)(scene(800))))
    assert not _warned(check([*SCENES, dark], outliers=0.05))


def test_exact_copies_are_counted_without_their_first(check):
    copies = [Sample(SCENES[3].content, SCENES[3].label), Sample(SCENES[3].content, SCENES[3].label)]
    found = check([*SCENES[:50], *copies, *SCENES[50:]])
    assert _warned(found) == {"duplicate_pictures"}
    assert next(each for each in found.copies if each.kind == "duplicate_pictures").pairs == [(50, 3), (51, 3)]


def test_a_reduced_and_a_reencoded_copy_are_near_duplicates(check):
    reduced = Sample(encoded(scene(5).resize((48, 48), Image.Resampling.LANCZOS)), SCENES[5].label)
    reencoded = Sample(encoded(scene(7), "JPEG", quality=60), SCENES[7].label)
    found = check([*SCENES[:50], reduced, reencoded, *SCENES[50:]])
    assert _warned(found) == {"near_duplicate_pictures"}
    assert sorted(next(each for each in found.copies if each.kind == "near_duplicate_pictures").pairs) == [
        (50, 5),
        (51, 7),
    ]


def test_copies_in_another_split_are_found_exact_and_near(check):
    exact = Sample(SCENES[10].content, SCENES[10].label, "test")
    near = Sample(encoded(scene(11), "JPEG", quality=60), SCENES[11].label, "eval")
    found = check([*SCENES[:55], near, *SCENES[55:], exact])
    answer = _by_kind(found)["pictures_in_two_splits"]
    assert (answer.status, answer.n) == ("warn", 12)
    assert answer.measured == pytest.approx(2 / 12, abs=1e-6) and "1 of them in every byte" in answer.reason
    assert sorted(next(each for each in found.copies if each.kind == "pictures_in_two_splits").pairs) == [
        (55, 11),
        (61, 10),
    ]


def test_one_picture_under_two_labels_is_found_exact_and_near_and_a_missing_label_is_not_another(check):
    wrong = Sample(SCENES[10].content, "b" if SCENES[10].label == "a" else "a")
    near = Sample(encoded(scene(11), "JPEG", quality=60), "a" if SCENES[11].label == "b" else "b")
    unlabelled = Sample(SCENES[12].content, None)
    found = check([*SCENES[:50], wrong, near, unlabelled, *SCENES[50:]], duplicates=0.5, near_duplicates=0.5)
    assert _warned(found) == {"pictures_with_two_labels"}
    pairs = next(each for each in found.copies if each.kind == "pictures_with_two_labels").pairs
    assert sorted(pairs) == [(10, 50), (50, 10), (51, 11)]


def test_blank_pictures_are_not_copies_under_two_labels(check):
    blank = encoded(Image.new("RGB", (64, 64), "white"))
    found = check([*SCENES, Sample(blank, "a"), Sample(blank, "b")], duplicates=0.5)
    assert _warned(found) == {"blank_pictures"}


def test_of_many_pairs_a_sample_is_compared_and_the_rest_is_estimated(check, monkeypatch):
    from components.validate.pictures import copied_pictures

    monkeypatch.setattr(copied_pictures, "MOST_COMPARED", 10)
    monkeypatch.setattr(copied_pictures, "_CLOSEST", 4)
    copies = [Sample(encoded(scene(seed), "JPEG", quality=70), SCENES[seed].label) for seed in range(40)]
    found = check([*SCENES[:50], *copies, *SCENES[50:]])
    near = next(each for each in found.copies if each.kind == "near_duplicate_pictures")
    assert near.compared == 10 and near.alike >= 30 and near.count >= 30
    assert "about" in _by_kind(found)["near_duplicate_pictures"].reason


def test_bounds_are_the_normal_ones_and_a_tenth_of_wrong_values_moves_them_little():
    values = np.random.default_rng(0).normal(10, 2, 20_000)
    assert lower_bound(values, 4, 0) == pytest.approx(2, abs=0.3) and upper_bound(values, 4, 0) == pytest.approx(
        18, abs=0.3
    )
    dirty = np.concatenate([values, np.full(1_500, -100.0)])
    assert lower_bound(dirty, 4, 0) > -3
    assert lower_bound(values[:5], 4, 0) == -np.inf


def test_rows_without_a_picture_are_left_out_and_places_are_those_of_the_files(tmp_path):
    examples = write_pictures([*SCENES[:3], Sample(SCENES[5].content, None), SCENES[55]], tmp_path / "examples")
    read = read_measures(examples, Manifest.load(examples), "picture", "label")
    assert (read.place.tolist(), read.split.tolist()) == ([0, 1, 2, 3, 0], [0, 0, 0, 0, 2])
    assert [read.label.at(row) for row in range(5)] == ["a", "b", "a", "", "b"]


@pytest.fixture
def of_pictures(project: Callable[..., Project]) -> Callable[..., Project]:
    """A project with pictures, whose measured columns are excluded as ingest's configuration does."""

    def make(**fields: object) -> Project:
        return project(label="label", data__exclude=["path", *MEASURED], **fields)

    return make


def test_the_stage_marks_the_column_and_keeps_the_measures_from_the_model(validate, of_pictures, tmp_path):
    done = validate(write_pictures(SCENES, tmp_path / "examples"), of_pictures())
    assert done.outcome.verdict == "warn" and done.check("blurred pictures").status == "pass"
    assert done.schema.count("image_domain") == 1
    assert done.schema.count("feature {") == 2  # picture and label
    again = validate(tmp_path / "examples", of_pictures(), schema=done.schema, to="again")
    assert again.check("reviewed schema").status == "pass"
    assert again.check("rows in two splits").measured == 0.0


def test_the_policy_can_block_what_a_picture_has(validate, of_pictures, tmp_path):
    examples = write_pictures([*SCENES, Sample(encoded(scene(1)), named="JPEG")], tmp_path / "examples")
    blocked = validate(examples, of_pictures(gates__data__anomalies={"misnamed_pictures": "fail"}))
    assert blocked.outcome.verdict == "blocked" and "another kind than their file's name says" in blocked.outcome.reason


def test_darker_pictures_of_a_new_span_drift_against_the_earlier_ones_and_others_do_not(
    validate, of_pictures, tmp_path
):
    earlier = [Sample(encoded(scene(seed, 16)), "ab"[seed % 2]) for seed in range(200)]
    newer = [Sample(encoded(_dim(0.6)(scene(seed, 16))), "ab"[seed % 2], span=2) for seed in range(200, 400)]
    held_out = [
        Sample(encoded(scene(seed, 16)), "ab"[seed % 2], split) for seed, split in ((500, "eval"), (501, "test"))
    ]
    done = validate(write_pictures([*earlier, *newer, *held_out], tmp_path / "examples"), of_pictures())
    drifted = {
        check.name.rpartition(": ")[2]
        for check in done.outcome.checks
        if check.name.startswith("drift") and check.status == "warn"
    }
    assert "picture.brightness" in drifted and not drifted & {"picture.width", "picture.mode", "picture", "label"}


def test_pictures_of_one_size_in_each_span_and_another_in_the_newest_have_drifted(validate, of_pictures, tmp_path):
    samples = [
        Sample(encoded(scene(seed, 12 if span < 3 else 24)), "ab"[seed % 2], span=span)
        for span in (1, 2, 3)
        for seed in range(100 * span, 100 * span + 100)
    ]
    held_out = [Sample(encoded(scene(seed, 12)), "ab"[seed % 2], split) for seed, split in ((1, "eval"), (2, "test"))]
    done = validate(write_pictures([*samples, *held_out], tmp_path / "examples"), of_pictures())
    assert done.check("drift against the earlier spans: picture.width").status == "warn"


def test_the_page_shows_a_dozen_pictures_of_a_finding_with_row_label_and_measure(validate, of_pictures, tmp_path):
    wrong = [Sample(encoded(scene(seed)), "b", named="JPEG") for seed in range(300, 330)]
    done = validate(write_pictures([*SCENES, *wrong], tmp_path / "examples"), of_pictures())
    blocks = json.loads((done.folder / "validation" / "page.json").read_text())["blocks"]
    (block,) = (block for block in blocks if block["kind"] == "pictures")
    assert (block["title"], len(block["content"])) == ("Misnamed pictures", MOST_SHOWN)
    assert block["content"][0]["lines"] == ["train, row 51", "label b", "PNG, named JPEG", "pictures/b/60"]
    assert block["note"].startswith("The first 12 pictures. 30 of 90 pictures")
    assert (done.folder / "page.html").read_text().count('<img src="data:image/') == MOST_SHOWN
