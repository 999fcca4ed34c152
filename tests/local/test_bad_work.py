"""Bad rows and bad code that are found out while stages work, as a person meets them: whole runs, so slow."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.local.conftest import run_naru
from tests.representatives import representatives

pytestmark = pytest.mark.slow

MODEL = """
import keras

def build_model(inputs, transform, hyperparameters):
    numbers = keras.layers.Concatenate()([inputs["dep_delay"], inputs["distance"]])
    return {returned}
"""
NAN = "keras.layers.Dense(1, 'sigmoid')(keras.ops.log(numbers * 0 - 1))"
WIDE = "keras.layers.Dense(3, 'softmax')(numbers)"
IMPORTS = "import nothing_of_that_name\n\ndef preprocessing_fn(inputs):\n    return inputs\n"
NOTHING = "def preprocessing_fn(inputs):\n    inputs.get('late')\n"


@dataclass(frozen=True)
class Bad:
    """A case: what differs from a good project, and what must be reported.

    Attributes:
        stage: The stage that fails.
        files: Text by name.
        label: The label of a row, by its number; None: as it is.
        rows: How many of the rows are kept.
    """

    name: str
    code: int
    stage: str
    message: str
    files: dict[str, str] = field(default_factory=dict)
    label: Callable[[int], str] | None = None
    rows: int | None = None
    settings: tuple[str, ...] = ()


CASES = [
    Bad("preprocessing_that_does_not_import", 3, "transform", "line 1", {"preprocessing.py": IMPORTS}),
    Bad("preprocessing_that_returns_nothing", 3, "transform", "returned nothing", {"preprocessing.py": NOTHING}),
    Bad("a_model_that_returns_nan", 6, "train", "NaN or infinity", {"model.py": MODEL.format(returned=NAN)}),
    Bad("a_model_of_the_wrong_shape", 6, "train", "gives [rows, 3]", {"model.py": MODEL.format(returned=WIDE)}),
    Bad("a_label_with_one_value", 5, "transform", "late", label=lambda row: "1"),
    Bad("a_label_with_a_new_value", 5, "transform", "late", label=lambda row: str(row % 2 if row else 2)),
    Bad(
        "a_label_with_missing_values", 4, "ingest", "the label 'late' is missing", label=lambda row: "1" if row else ""
    ),
    Bad("one_row", 5, "transform", "has no rows", rows=1),
    Bad(
        "an_empty_split",
        5,
        "transform",
        "has no rows",
        rows=30,
        settings=("data.split={train: 0.98, eval: 0.01, test: 0.01}",),
    ),
]
IN_CI = ("preprocessing_that_returns_nothing", "a_model_that_returns_nan", "a_label_with_missing_values", "one_row")


def spoil(folder: Path, bad: Bad) -> None:
    """Make the change of the case, in both spans."""
    for name, text in bad.files.items():
        (folder / name).write_text(text)
    for table in folder.glob("flights-*.csv"):
        header, *lines = table.read_text().splitlines()
        place = header.split(",").index("late")
        cells = [line.split(",") for line in lines[: bad.rows]]
        for number, row in enumerate(cells):
            row[place] = bad.label(number) if bad.label else row[place]
        table.write_text("\n".join([header, *(",".join(row) for row in cells)]) + "\n")


@pytest.mark.parametrize(
    "bad", representatives(CASES, *(bad for bad in CASES if bad.name in IN_CI)), ids=lambda bad: bad.name
)
def test_what_a_stage_refuses_ends_the_run_with_its_code_and_a_word(
    bad: Bad, new_project: Callable[[str], Path]
) -> None:
    folder = new_project(bad.name)
    spoil(folder, bad)
    spans = ("--spans", "1") if bad.rows else ()
    ran = run_naru(str(folder), *spans, *(part for setting in bad.settings for part in ("--set", setting)))
    error = ran.record["error"]
    assert (ran.code, ran.record["status"]) == (bad.code, "failed"), error
    assert bad.message in error["message"], error
    assert error["remedy"]
    states = {state["stage"]: state["state"] for state in ran.record["stages"]}
    assert states[bad.stage] == "failed"
    assert states["deploy"] == "waiting"
    assert "site-packages" not in error["message"]
    assert not list(folder.rglob("*.partial"))
    assert not (folder / ".naru" / "mlflow.db").exists() and not list(folder.glob(".naru/store/*/deployments/*"))


def test_a_thousand_columns_and_odd_names_become_a_model(new_project: Callable[[str], Path]) -> None:
    folder = new_project("wide")
    for table in folder.glob("flights-*.csv"):
        header, *lines = table.read_text().splitlines()[:800]
        more = ",".join(f'"c {number}/%"' for number in range(1_000))
        wide = [
            f"{line},{','.join(str(place * 7 % (number + 2)) for place in range(1_000))}"
            for number, line in enumerate(lines)
        ]
        table.write_text("\n".join([f"{header},{more}", *wide]) + "\n", encoding="utf-8-sig")
    ran = run_naru(str(folder))
    assert (ran.code, ran.record["deployed"]) == (0, True), ran.errors
