"""The variants of a run's model in the last lines: what each costs, which is served, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from components._core.types.variant_table import ServedVariant, VariantRow, VariantTable, describe_served
from pipelines.local.variant_lines import describe_variants

ROWS = (
    VariantRow("original", "as trained", "passed", row_ms=0.0273, batch_ms=1.463),
    VariantRow("folded", "folded", "not made", "it changes nothing"),
    VariantRow("float16", "smaller", "refused", "too far", row_ms=0.02, batch_ms=1.2, speedup=1.3),
    VariantRow("int8", "smaller", "served", row_ms=0.026, batch_ms=0.6234, speedup=1.5766),
)


def test_each_variant_has_a_line_and_the_served_one_is_marked(tmp_path: Path) -> None:
    why = "int8 answers 1.58 times as fast as the model, and differs from it by 0.019 at most"
    VariantTable("int8", why, "auc", 1500, {}, ROWS).save(tmp_path)
    assert describe_variants(tmp_path) == [
        "variants of the model, by 1,500 eval rows and calls in turns (serve.optimize)",
        "  original  0.0273 ms a row, 1.46 ms a thousand",
        "  folded    not made",
        "  float16   0.02 ms a row, 1.2 ms a thousand, 1.30 times as fast, refused",
        "* int8      0.026 ms a row, 0.623 ms a thousand, 1.58 times as fast",
        "  int8 answers 1.58 times as fast as the model, and differs from it by 0.019 at",
        "  most",
    ]


def test_a_run_without_the_setting_has_no_such_lines(tmp_path: Path) -> None:
    assert describe_variants(tmp_path) == []


@pytest.mark.parametrize(("name", "words"), [("int8", ", as its variant int8"), ("original", "")])
def test_what_serves_a_version_names_its_variant(tmp_path: Path, name: str, words: str) -> None:
    assert describe_served(tmp_path) == ""
    ServedVariant(name, {}, {}).save(tmp_path / "variant.json")
    assert describe_served(tmp_path) == words


def test_a_damaged_note_of_the_variant_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "variant.json").write_text('{"name": "int8"}')
    assert describe_served(tmp_path) == ""
