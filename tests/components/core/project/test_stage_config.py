"""No stage reads a section of the project that its spec does not name: it would see defaults, and ignore changes."""

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import parse_project
from components._core.project.stage_config import APART, EVERYTHING, absent_sections, restrict
from components.stages import STAGES

COMPONENTS = Path(__file__).parents[4] / "components"
SHARED = ("run_record.py", "model_rules.py", "variant_rules.py", "join_settings.py")
"""Modules below the stages that read sections, for stages that are given these."""
THROUGH = {"primary_metric": "gates.model.metric"}
"""Methods of the project that read a section, and the place that each reads."""


@cache
def reads(folder: Path) -> list[tuple[str, str]]:
    """Every place that code below a folder takes from something called `project`, dotted, and where it does so."""
    return [*_reads(folder)]


def folder_of(stage: str) -> Path:
    """The folder of a stage: that of its component."""
    (found,) = (path.parent for path in COMPONENTS.rglob("component.py") if path.parent.name == stage)
    return found


def taken_by(stage: str) -> set[str]:
    """Every place that a stage takes from the project, itself or by a module of `SHARED` that it names."""
    texts = [path.read_text() for path in folder_of(stage).rglob("*.py")]
    shared = [
        path
        for path in COMPONENTS.rglob("*.py")
        if path.name in SHARED and any(f".{path.stem} import" in text for text in texts)
    ]
    return {place for place, _ in (*reads(folder_of(stage)), *(each for path in shared for each in reads(path)))}


def _reads(folder: Path) -> Iterator[tuple[str, str]]:
    """Read the files of a folder, or one file."""
    for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]:
        text = path.read_text()
        if not any(name in text for name in ("project", *THROUGH)):
            continue
        tree = ast.parse(text)
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in (*EVERYTHING, *APART) and _is_project(node.value):
                place = _whole(node, parents)
                if not place.startswith("data.exclude"):
                    yield place, f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Call) and (called := _name(node.func)) in THROUGH:
                yield THROUGH[called], f"{path.name}:{node.lineno}"


def _whole(node: ast.Attribute, parents: dict[ast.AST, ast.AST]) -> str:
    """The attributes of attributes that begin here: `gates.model.slices`."""
    above = parents[node]
    return f"{node.attr}.{_whole(above, parents)}" if isinstance(above, ast.Attribute) else node.attr


def is_given(place: str, stage: str) -> bool:
    return any(f"{place}.".startswith(f"{row}.") for row in STAGES[stage].reads)


def _is_project(node: ast.expr) -> bool:
    return _name(node) == "project"


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def mentions_of_project(folder: Path) -> set[str]:
    """Names of variables, arguments and fields that are annotated as a whole Project."""
    found = set()
    for path in folder.rglob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "Project" in text else ():
            annotation = getattr(node, "annotation", None)
            if (
                isinstance(annotation, ast.expr)
                and "Project" in ast.unparse(annotation).replace("Projection", "").split()
            ):
                found.add(node.arg if isinstance(node, ast.arg) else ast.unparse(getattr(node, "target", node)))
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_only_the_sections_in_its_row(stage: str) -> None:
    beyond = {f"{place} ({where})" for place, where in reads(folder_of(stage)) if not is_given(place, stage)}
    assert not beyond, f"{stage} reads what components/stages.py does not give it: {sorted(beyond)}"


@pytest.mark.parametrize("stage", [name for name, stage in STAGES.items() if not {*EVERYTHING} <= {*stage.reads}])
def test_a_stage_is_given_only_what_it_reads(stage: str) -> None:
    taken = taken_by(stage)
    assert [row for row in STAGES[stage].reads if not any(f"{place}.".startswith(f"{row}.") for place in taken)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_the_project_is_called_so_everywhere_or_it_would_not_be_seen_here(stage: str) -> None:
    assert mentions_of_project(folder_of(stage)) <= {"project"}


def test_shared_code_reads_no_section_of_a_project() -> None:
    """But for what is used only where a section is given: the run's record, the rules of kinds of model and of variants, the settings of the join.

    The record holds the whole project. The rules of variants are held against a project before anything runs. Those of kinds
    are so too, and by the stage that has `tune`.
    """
    found = {(place, where) for shared in COMPONENTS.glob("_[a-z]*") for place, where in reads(shared)}
    assert not {f"{place} ({where})" for place, where in found if not where.startswith(SHARED)}
    users = {
        file.relative_to(COMPONENTS).parts[0] for file in COMPONENTS.rglob("*.py") if "model_rules" in file.read_text()
    }
    assert users == {"_frameworks", "tune"} and "tune" in STAGES["tune"].reads
    assert "feedback" in STAGES["feedback"].reads and "feedback" in STAGES["settle"].reads
    makers = {
        file.relative_to(COMPONENTS).parts[0]
        for file in COMPONENTS.rglob("*.py")
        if "make_run_record" in file.read_text() and file.name != "run_record.py"
    }
    assert makers == {"deploy"} and {*EVERYTHING} <= {*STAGES["deploy"].reads}


def test_a_key_that_is_not_set_leaves_a_stage_the_configuration_that_it_had() -> None:
    raw = {"name": "p", "task": "binary_classification", "label": "y", "data": {"source": "t.csv"}}
    given = json.loads(parse_project(raw).to_json())
    kept = restrict(given, STAGES["evaluate"].reads)
    assert "serve" not in kept and list(kept["train"]) == ["seed"]
    named = json.loads(parse_project({**raw, "serve": {"threshold": "f1"}}).to_json())
    assert restrict(named, STAGES["evaluate"].reads) == {**kept, "serve": {"threshold": "f1"}}
    assert restrict(named, STAGES["train"].reads) == restrict(given, STAGES["train"].reads)


WHOLE = {
    "name": "p",
    "task": "binary_classification",
    "label": "y",
    "data": {"source": "t.csv"},
    "feedback": {"labels": {"source": "l.csv", "id": "id", "label": "y", "time": "t"}},
}
LIVE_TESTS = {
    "ab": {"request_log": {}, "rollout": "ab", "ab": {"effect": 0.1, "key": "carrier"}},
    "shadow": {"request_log": {}, "rollout": "shadow", "shadow": {"labels": 50}},
    "canary": {"request_log": {}},
}


@pytest.mark.parametrize("rollout", LIVE_TESTS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_takes_its_part_of_every_valid_project(stage: str, rollout: str) -> None:
    """A rule over two sections holds for the project; a stage that is given one of them would refuse it."""
    given = json.loads(parse_project({**WHOLE, "serve": LIVE_TESTS[rollout]}).to_json())
    reads = STAGES[stage].reads
    part = parse_project(restrict(given, reads), absent=absent_sections(reads))
    assert part.serve.rollout == (rollout if "serve" in reads else "canary")


def test_a_stage_that_is_given_both_sections_holds_the_rule() -> None:
    given = json.loads(parse_project({**WHOLE, "serve": LIVE_TESTS["ab"]}).to_json())
    del given["feedback"]
    reads = STAGES["deploy"].reads
    with pytest.raises(ConfigError, match="ab is judged by labels, and there is no section feedback"):
        parse_project(restrict(given, reads), absent=absent_sections(reads))
