"""The component: parameters that would make the KFP cache stale are refused before anything is read."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from components._core.project.placeholders import PER_RUN
from components.ingest.component import ingest


@pytest.mark.parametrize(("value", "message"), [(PER_RUN, "was not replaced"), ("", "is empty")])
def test_a_source_whose_state_is_not_said_is_refused_since_a_later_run_would_be_answered_from_the_cache(
    value: str, message: str, tmp_path: Path
) -> None:
    outputs = {name: SimpleNamespace(path=str(tmp_path / name), metadata={}) for name in ("examples", "quarantine")}
    with pytest.raises(SystemExit) as end:
        ingest.python_func(project="{}", source="", spans="", source_fingerprint=value, claim="", **outputs)
    assert end.value.code == 2
    error = json.loads((tmp_path / "error.json").read_text())["error"]
    assert message in error["message"] and "source_fingerprint" in error["where"]
