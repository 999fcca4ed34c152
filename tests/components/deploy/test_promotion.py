"""A version is promoted over the champion that it was compared with, and over no other."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from components._core.settings import Settings
from components._core.store.ledger import Deployment, append_deployment, current_champion, read_deployments
from components.deploy import promotion
from components.deploy.promotion import ChampionChangedError, Compared, promote

WRITERS = 16
LINE = Deployment("0", "models/0", "s", "c", {"auc": 0.9}, "f", "r", "2026-01-01T00:00:00+00:00", "ada", "a test")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    append_deployment(str(tmp_path), "p", LINE)
    return Settings(str(tmp_path), "sqlite:///nowhere")


@pytest.fixture
def aliases(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls to MLflow, in order."""
    lines: list[str] = []
    monkeypatch.setattr(promotion, "_set_alias", lambda _settings, _project, version: lines.append(version))
    return lines


def version(number: int) -> dict[str, Any]:
    names = ("statistics", "schema", "fingerprint", "run")
    return {"version": str(number), "model": f"models/{number}", "metrics": {}, **dict.fromkeys(names, "x")}


def against(line: Deployment | None) -> Compared:
    return Compared(line.identity if line else None, "evaluate", "run again")


def test_of_sixteen_that_were_compared_with_one_champion_one_is_promoted(
    settings: Settings, aliases: list[str]
) -> None:
    start = Barrier(WRITERS)

    def try_to(number: int) -> str:
        start.wait()
        try:
            return promote(settings, "p", version(number), "a test", against(LINE)).version
        except ChampionChangedError as error:
            return error.message

    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(try_to, range(1, WRITERS + 1)))
    (champion,) = (each for each in results if each.isdigit())
    assert [line.version for line in read_deployments(settings.store, "p")] == ["0", champion]
    expected = f"champion changed since evaluate: it was version 0, and is version {champion} ("
    assert sum(each.startswith(expected) for each in results) == WRITERS - 1
    assert aliases == [champion], "who was refused touched no alias"


@pytest.mark.parametrize("compared", [None, LINE])
def test_a_first_champion_is_held_against_none(tmp_path: Path, aliases: list[str], compared: Deployment | None) -> None:
    settings = Settings(str(tmp_path), "")
    if compared is None:
        assert promote(settings, "p", version(1), "w", against(None)).version == "1"
        with pytest.raises(ChampionChangedError, match="it was none, and is version 1"):
            promote(settings, "p", version(2), "w", against(None))
    else:
        with pytest.raises(ChampionChangedError, match="it was version 0, and is none"):
            promote(settings, "p", version(1), "w", against(compared))
    assert aliases == (["1"] if compared is None else [])


def test_a_champion_that_went_and_came_back_is_the_one_that_was_compared_with(
    settings: Settings, aliases: list[str]
) -> None:
    promote(settings, "p", version(1), "w", against(LINE))
    append_deployment(settings.store, "p", LINE)
    assert promote(settings, "p", version(2), "w", against(LINE)).version == "2"
    assert aliases == ["1", "2"]


def test_what_was_promoted_is_promoted_again_whatever_it_was_compared_with(
    settings: Settings, aliases: list[str]
) -> None:
    """A stage that was killed after its line is started again: it finds itself as the champion."""
    first = promote(settings, "p", version(1), "w", against(LINE))
    assert promote(settings, "p", version(1), "w", against(LINE)) == first
    assert len(read_deployments(settings.store, "p")) == 2 and aliases == ["1", "1"]


def test_a_line_that_came_while_mlflow_was_slow_is_not_followed_by_ours(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    def slow(_settings: Settings, _project: str, number: str) -> None:
        if not lines:
            append_deployment(settings.store, "p", Deployment(**{**LINE.__dict__, "version": "7", "model": "models/7"}))
        lines.append(number)

    monkeypatch.setattr(promotion, "_set_alias", slow)
    with pytest.raises(ChampionChangedError, match="is version 7"):
        promote(settings, "p", version(1), "w", against(LINE))
    champion = current_champion(settings.store, "p")
    assert champion is not None and champion.version == "7" and lines == ["1", "7"], "the alias is put right"
