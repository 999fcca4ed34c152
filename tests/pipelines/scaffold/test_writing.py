"""Names from the table are only ever data."""

from __future__ import annotations

import ast

import pytest
import yaml

from pipelines.scaffold.writing import as_cell, as_line, as_python, as_yaml, name_outputs

ODD = [
    "a b",
    "a/b",
    "1st",
    "é",
    "한국",
    "it's",
    'say "hi"',
    "back\\slash",
    "new\nline",
    "'''",
    '"""',
    "# no",
    "- x",
    "{{ x }}",
]
ODD += [
    "yes",
    "null",
    "1.5",
    "2020-01-01",
    "~",
    "",
    " lead",
    "trail ",
    "a: b",
    "\u2028",
    "\x85",
    "\x7f",
    "a" * 300,
    "*x",
    "!!int 3",
]


@pytest.mark.parametrize("name", ODD)
def test_any_name_reads_back_from_yaml_and_python(name: str) -> None:
    assert yaml.safe_load(f"- {as_yaml(name)}  # why\n") == [name]
    assert ast.literal_eval(as_python([name, name])) == [name, name]
    assert ast.literal_eval(as_python({name: 3})) == {name: 3}


@pytest.mark.parametrize("name", ODD)
def test_no_name_ends_a_comment_or_a_cell(name: str) -> None:
    assert len(as_line(name).splitlines()) <= 1
    assert "|" not in as_cell(f"{name}|").replace("\\|", "")


def test_names_of_features_are_plain_and_differ() -> None:
    names = name_outputs([*ODD, "numbers", "A b", "a_b"])
    assert all(name.isidentifier() and name.isascii() for name in names.values())
    assert len(set(names.values())) == len(names)
    assert not {"numbers", "missing", "hashed"} & set(names.values())


def test_a_long_list_is_wrapped() -> None:
    text = as_python([f"column {number}" for number in range(200)])
    assert max(map(len, text.splitlines())) <= 120
    assert len(ast.literal_eval(text)) == 200
