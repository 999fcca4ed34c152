"""Keys are set in the text of a project file: comments and order stay, and what cannot be edited safely is refused unchanged."""

from pathlib import Path

import pytest

from components._core.errors import ConfigError
from components._core.project.yaml_text import parse_yaml
from pipelines.project_edit import set_keys

REST = "train:\n  spans: 3\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("data:\n  source: t.csv  # mine\n", 'data:\n  pin: "ab"\n  source: t.csv  # mine\n'),
        (
            "data:  # the table\n\n    # where\n    source: t.csv\n",
            'data:  # the table\n    pin: "ab"\n\n    # where\n    source: t.csv\n',
        ),
        ("data:\n  source: t.csv\n  pin: old  # of May\n", 'data:\n  source: t.csv\n  pin: "ab"  # of May\n'),
        ("data:\n  csv:\n    pin: no\n  source: t\n", 'data:\n  pin: "ab"\n  csv:\n    pin: no\n  source: t\n'),
    ],
)
def test_a_key_is_replaced_or_added_in_its_section_alone(before: str, after: str, tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_text("# ours\n" + before + REST)
    set_keys(file, "data", {"pin": "ab"})
    assert file.read_text() == "# ours\n" + after + REST


def test_a_value_is_read_back_as_the_text_that_it_is(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_text("data:\n  source: t\n")
    keys = {"pin": "0123456789012345", "spans": "1-3, 7", "other": 'a "b" \\ # c'}
    set_keys(file, "data", keys)
    assert parse_yaml(file.read_text(), "t")["data"] == {"source": "t", **keys}


@pytest.mark.parametrize(
    "text",
    ["data: {source: t}\n", "data:\n  pin:\n    - a\n  source: t\n", "data:\n  pin: |\n    a\n  source: t\n", "x: 1\n"],
)
def test_another_form_is_left_as_it_is_with_the_lines_to_write(text: str, tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="form that is not edited here") as refused:
        set_keys(file, "data", {"pin": "ab"})
    assert 'pin: "ab"' in refused.value.remedy and file.read_text() == text
