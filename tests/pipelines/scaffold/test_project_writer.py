"""Names from the table are only ever data."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable

import pytest
import yaml
from markdown_it import MarkdownIt

from pipelines.scaffold.project_writer import (
    as_cell,
    as_code,
    as_line,
    as_prose,
    as_python,
    as_shell,
    as_yaml,
    name_outputs,
)

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


MARKUP = [
    "<script>alert(1)</script>",
    "a `b` c",
    "``",
    "`",
    "x ``` y",
    "[link](http://example.org)",
    "![image](http://example.org/x.png)",
    "<http://example.org>",
    "*a* _b_ **c**",
    "back\\slash\\<b>",
    "&lt;b&gt;",
    "<!-- hidden -->",
]


@pytest.mark.parametrize("name", [*ODD, *MARKUP])
@pytest.mark.parametrize("written", [as_code, as_cell, as_prose])
def test_no_name_becomes_html_a_link_or_an_image_in_the_readme(name: str, written: Callable[[str], str]) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).parse(f"Predicts {written(name)} from it.")
    parts = [part for token in tokens for part in [token, *(token.children or [])]]
    assert not [part for part in parts if part.type.startswith(("html", "link", "image"))]
    if written is as_code and as_line(name):
        assert [" ".join(part.content.split()) for part in parts if part.type == "code_inline"] == [as_line(name)]


@pytest.mark.parametrize("name", ["a b", "$(touch x)", "it's", "é", "a;b", "-x"])
def test_a_folder_is_one_word_of_a_command(name: str) -> None:
    assert shlex.split(f"naru run {as_shell(name)}  # more", comments=True) == ["naru", "run", name]


def test_names_of_features_are_plain_and_differ() -> None:
    names = name_outputs([*ODD, "numbers", "A b", "a_b"])
    assert all(name.isidentifier() and name.isascii() for name in names.values())
    assert len(set(names.values())) == len(names)
    assert not {"numbers", "missing", "hashed"} & set(names.values())


def test_a_long_list_is_wrapped() -> None:
    text = as_python([f"column {number}" for number in range(200)])
    assert max(map(len, text.splitlines())) <= 120
    assert len(ast.literal_eval(text)) == 200
