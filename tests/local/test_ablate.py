"""`naru ablate` on a small project of real flights: the verdict, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components._core.files import files_below, hash_file
from tests.local.conftest import answer_of, run_naru

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Path]) -> Path:
    folder = new_project("ablate")
    ran = run_naru(str(folder))
    assert ran.code == 0, ran.errors
    return folder


def test_a_column_that_decides_is_needed_and_nothing_but_the_answer_is_left(project: Path) -> None:
    before = {path: hash_file(path) for path in files_below(project)}
    found = answer_of("ablate", str(project), "--without", "dep_delay", "--seeds", "2")
    assert found["verdict"] == "worse" and found["interval"][1] < -found["margin"] < 0
    assert [pair["seed"] for pair in found["seeds"]] == [7, 8]
    assert all(pair["whole"] > pair["reduced"] + 0.1 for pair in found["seeds"])
    after = {path: hash_file(path) for path in files_below(project)}
    assert after == before


def test_equal_calls_give_equal_answers(project: Path) -> None:
    arguments = (str(project), "--without", "origin", "--seeds", "1", "--margin", "0.2")
    first, again = answer_of("ablate", *arguments), answer_of("ablate", *arguments)
    assert first == again and first["verdict"] == "as good"
    assert first["proposal"] == 'exclude: ["origin"]'
