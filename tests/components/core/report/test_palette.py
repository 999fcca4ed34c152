"""The colours of the pages are defined once."""

import re
from pathlib import Path

from components._core.report.palette import DARK, LIGHT, paint, style_sheet
from components._core.report.svg import INK, MUTED, RULE

COMPONENTS = Path(__file__).parents[4] / "components"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b|rgba?\(")


def test_a_colour_has_a_value_on_light_and_on_dark_paper_and_a_variable() -> None:
    assert list(LIGHT) == list(DARK)
    assert all(style_sheet().count(f"--{name}: ") == 2 for name in LIGHT)
    assert paint("muted") == f"var(--muted, {LIGHT['muted']})"


def test_no_other_file_has_a_colour() -> None:
    files = [path for path in COMPONENTS.rglob("*") if path.suffix in (".py", ".css", ".html", ".js")]
    assert len(files) > 100
    found = {
        (path.name, colour)
        for path in files
        if path.name != "palette.py"
        for colour in _COLOUR.findall(path.read_text(encoding="utf-8"))
    }
    assert found == {("svg.py", colour) for colour in (INK, MUTED, RULE)}  # stand for the page's own, see there
