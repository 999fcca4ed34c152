"""`naru label`: a table goes out to annotators, and comes back as rows to train on, with its agreement."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from components._core.errors import ConfigError, DataError
from components._labels.exchange.label_studio import CONTROL
from pipelines.__main__ import app
from tests.components.labels.fake_label_studio import LEGACY, FakeLabelStudio
from tests.http_servers import running

Naru = Callable[..., Result]
PROJECT = """
name: reviews
task: binary_classification
label: mood
data: {source: labelled.csv}
labels:
  classes: [negative, positive]
  annotators_per_item: 2
  adjudicators: [lead]
  source: new.csv
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a table of reviews: the one with the number 3 has a label already, and the last one repeats the first."""
    monkeypatch.delenv("NARU_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project.yaml").write_text(PROJECT)
    rows = [
        "review,stars,mood",
        *(f"review {n},{n % 5},{'positive' if n == 3 else ''}" for n in range(12)),
        "review 0,0,",
    ]
    (tmp_path / "new.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.fixture
def naru() -> Naru:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["label", *arguments], catch_exceptions=True)

    return run


def annotate(work: Path, done: Path, labels: Callable[[int], dict[str, str]]) -> Path:
    """Fill in a list of Label Studio: the label by annotator, by the place of the task."""
    tasks = json.loads(work.read_text())
    for place, task in enumerate(tasks):
        task["annotations"] = [
            {
                "completed_by": {"email": name},
                "created_at": "2026-11-30T10:00:00Z",
                "result": [{"from_name": CONTROL, "value": {"choices": [label]}}],
            }
            for name, label in labels(place).items()
        ]
    done.write_text(json.dumps(tasks))
    return done


def by_stars(place: int) -> dict[str, str]:
    truth = "positive" if place % 2 else "negative"
    return {"ann": truth, "bob": "positive" if place == 4 else truth}


def test_a_table_goes_out_and_comes_back_as_a_span(naru: Naru, project: Path) -> None:
    out = naru("export", ".", "--output", "work.json")
    annotate(project / "work.json", project / "done.json", by_stars)
    back = naru("import", "done.json", ".")

    assert out.output.splitlines() == [
        "11 rows without a label in the table, 1 with one",
        "1 rows repeat another one, and are labelled with it",
        "work.json",
        "work.interface.xml",
        "11 rows to label",
    ]
    lines = back.output.splitlines()
    assert lines[:2] == [
        "read      22 annotations of Label Studio: ann 11, bob 11",
        "kept      22 new, 0 changed, 0 known already",
    ]
    assert lines[2] == "items     10 by majority, 0 adjudicated, 1 to adjudicate, 0 wait for another annotator"
    assert lines[-1] == "span 1: 10 rows"
    rows = pq.read_table(project / ".naru/store/reviews/labels/v1/spans/000001.parquet").to_pylist()
    assert sorted(rows[0]) == ["mood", "review", "stars"]
    assert {row["stars"] for row in rows} <= set(range(5))


def test_what_is_labelled_does_not_go_out_again(naru: Naru, project: Path) -> None:
    naru("export", ".", "--output", "work.json")
    annotate(project / "work.json", project / "done.json", by_stars)
    naru("import", "done.json", ".")

    again = naru("export", ".", "--output", "more.json")

    assert "11 items are labelled already, or wait for an adjudicator" in again.output
    assert "nothing to label: no list was written" in again.output
    assert not (project / "more.json").exists()


def test_a_list_that_somebody_filled_in_is_not_replaced(naru: Naru, project: Path) -> None:
    naru("export", ".", "--output", "work.csv")
    assert naru("export", ".", "--output", "work.csv").exit_code == 0  # the same content
    filled = (project / "work.csv").read_text().replace(",,,", ",positive,ann,")
    (project / "work.csv").write_text(filled)

    result = naru("export", ".", "--output", "work.csv")

    assert "there is a file already, with another content" in str(result.exception)
    assert (project / "work.csv").read_text() == filled


def test_items_on_which_annotators_are_divided_go_to_an_adjudicator(naru: Naru, project: Path) -> None:
    naru("export", ".", "--output", "work.json")
    annotate(project / "work.json", project / "done.json", by_stars)
    naru("import", "done.json", ".")
    naru("export", ".", "--adjudicate", "--output", "ties.csv")
    rows = list(csv.DictReader(io.StringIO((project / "ties.csv").read_text(encoding="utf-8-sig"))))
    assert [(row["review"], row["votes"]) for row in rows] == [("review 5", "ann: negative, bob: positive")]

    filled = (project / "ties.csv").read_text(encoding="utf-8-sig").replace(",,,", ",positive,lead,")
    (project / "ties.csv").write_text(filled)
    back = naru("import", "ties.csv", ".")

    assert "10 by majority, 1 adjudicated, 0 to adjudicate" in back.output
    assert back.output.splitlines()[-1] == "span 2: 1 rows"


def test_agreement_is_shown_in_80_columns_and_as_json(naru: Naru, project: Path) -> None:
    naru("export", ".", "--output", "work.json")
    annotate(project / "work.json", project / "done.json", by_stars)
    naru("import", "done.json", ".")

    shown, raw = naru("agree", "."), json.loads(naru("agree", ".", "--json").output)

    assert shown.exit_code == 0
    assert max(map(len, shown.output.splitlines())) <= 80
    assert raw["percent"]["value"] == pytest.approx(10 / 11)
    assert raw["confused"] == [{"one": "negative", "other": "positive", "pairs": 1, "share": pytest.approx(1 / 11)}]
    assert [each["item"] for each in raw["adjudicate"]]
    assert shown.output.splitlines()[-1].startswith("no_baseline: two annotators have seen 11 items; 30 are needed")


def test_too_little_agreement_ends_with_5(naru: Naru, project: Path) -> None:
    (project / "project.yaml").write_text(PROJECT + "  min_alpha: 0.9\n  min_items: 5\n")
    naru("export", ".", "--output", "work.json")
    annotate(project / "work.json", project / "done.json", by_stars)
    naru("import", "done.json", ".")

    result = naru("agree", ".")

    assert result.exit_code == 5
    assert "is below labels.min_alpha, 0.9" in result.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("labels", "arguments", "error", "message"),
    [
        ("", ("export", "."), ConfigError, "--output: is missing"),
        ("  show: [reveiw]\n", ("export", ".", "--output", "w.csv"), ConfigError, "names 'reveiw'"),
        ("  id: nr\n", ("export", ".", "--output", "w.csv"), ConfigError, "names 'nr', which the table does not have"),
        ("", ("export", ".", "--output", "w", "--format", "xml"), ConfigError, "unknown format 'xml'"),
        ("", ("export", ".", "--output", "w.csv", "--adjudicate", "--format", "coco"), None, ""),
        ("", ("import", "new.csv", "."), DataError, "must have the column 'naru_item' once"),
        ("", ("agree", ".."), ConfigError, "there is no such project file"),
    ],
)
def test_what_does_not_fit_is_named(
    naru: Naru, project: Path, labels: str, arguments: tuple[str, ...], error: type[Exception] | None, message: str
) -> None:
    (project / "project.yaml").write_text(PROJECT + labels)

    result = naru(*arguments)

    assert (type(result.exception) if error else None) == error
    assert message in str(result.exception or "")


def test_a_project_without_a_label_schema_is_told_what_to_add(naru: Naru, project: Path) -> None:
    (project / "project.yaml").write_text(PROJECT.partition("labels:")[0])

    assert "has no label schema" in str(naru("agree", ".").exception)


def test_a_list_is_not_taken_for_the_table(naru: Naru, project: Path) -> None:
    naru("export", ".", "--output", "work.csv")

    result = naru("export", ".", "--source", "work.csv", "--output", "again.csv")

    assert "a name of work lists" in str(result.exception)


def test_rows_go_to_a_label_studio_server_and_their_labels_come_back(
    naru: Naru, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARU_LABEL_STUDIO_TOKEN", LEGACY)
    with running(FakeLabelStudio()) as server:
        sent = naru("export", ".", "--url", server.url, "--rows", "4")
        again = naru("export", ".", "--url", server.url, "--rows", "6")
        server.annotate("positive", "ann")
        server.annotate("positive", "bob")
        back = naru("import", ".", "--url", server.url)
        more = naru("import", ".", "--url", server.url)

    assert sent.output.splitlines()[-3:] == ["4 tasks added", f"{server.url}/projects/1/data", "4 rows to label"]
    assert "2 tasks added, 4 are there already" in again.output
    assert back.output.splitlines()[-1] == "span 1: 6 rows"
    assert "kept      0 new, 0 changed, 12 known already" in more.output


def test_a_list_needs_a_place_and_labels_a_file(naru: Naru, project: Path) -> None:
    assert "--output: is missing" in str(naru("next", ".").exception)
    assert "FILE: is missing" in str(naru("import").exception)
    assert "give a file or --url, not both" in str(naru("import", "x.json", ".", "--url", "http://h").exception)


def test_a_list_is_not_written_over_labels_or_another_file(naru: Naru, project: Path) -> None:
    table = (project / "new.csv").read_bytes()
    assert "new.csv: there is a file already, with another content" in str(
        naru("export", ".", "--output", "new.csv").exception
    )
    assert (project / "new.csv").read_bytes() == table

    naru("export", ".", "--output", "work.csv")
    assert naru("export", ".", "--output", "work.csv").exit_code == 0  # an empty one is made again
    filled = (project / "work.csv").read_text("utf-8-sig").replace(",,,", ",positive,ann,", 1)
    (project / "work.csv").write_text(filled)
    assert "work.csv: there is a file already, with another content" in str(
        naru("export", ".", "--output", "work.csv").exception
    )
    assert (project / "work.csv").read_text() == filled


def test_two_different_rows_with_one_id_are_named(naru: Naru, project: Path) -> None:
    (project / "project.yaml").write_text(PROJECT + "  id: nr\n")
    (project / "new.csv").write_text("nr,review\n1,good\n2,bad\n1,good\n")
    assert "1 rows repeat another one" in naru("export", ".", "--output", "work.csv").output
    (project / "new.csv").write_text("nr,review\n1,good\n2,bad\n1,worse\n")
    result = naru("export", ".", "--output", "other.csv")
    assert isinstance(result.exception, DataError)
    assert "labels.id 'nr': is '1' in two different rows" in str(result.exception)
