"""The outer interface is reviewed as a file: `make golden` renews it, and the diff is read."""

import json

from tests.architecture.interface import GOLDEN, describe_interface, record_keys


def test_commands_exit_codes_and_metrics_are_those_that_were_reviewed() -> None:
    kept = json.loads(GOLDEN.read_text())
    assert describe_interface() == {key: kept[key] for key in ("commands", "exit_codes", "metrics")}, (
        "run `make golden`"
    )


def test_the_keys_of_a_record_are_its_paths() -> None:
    assert record_keys({"a": {"b": 1}, "c": [{"d": 1}, {"e": None}]}) == {"a", "a.b", "c", "c[]", "c[].d", "c[].e"}
