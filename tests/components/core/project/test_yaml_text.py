import time

import pytest

from components._core.errors import ConfigError
from components._core.project.yaml_text import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("010", "010"),
        ("12:30", "12:30"),
        ("2020-13-45", "2020-13-45"),
        ("1_000", "1_000"),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("-3", -3),
        ("true", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("1-3", "1-3"),
    ],
)
def test_a_value_without_quotes_is_what_a_person_takes_it_for(text: str, value: object) -> None:
    read = parse_yaml(f"field: {text}\n", "f")["field"]
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f, line 3: is not valid YAML: duplicate key 'a'\n  -> keep one"),
        ("a: [1\nb: 2\n", "f, line 2: .*\n  -> check this line and the one before"),
        ("a:\n\tb: 1\n", "f, line 2: .*\n  -> indent with spaces"),
        ("a: {b: t-{span}.csv}\n", "f, line 1: .*\n  -> .*quote unusual text"),
        ("a: *other\n", "f, line 1: .*undefined alias"),
        ("a: !!python/object/apply:os.system [ls]\n", "f, line 1: .*constructor"),
        ("? [a, b]\n: 1\n", "f, line 1: .*unhashable"),
        ("a: \x00\n", "f: is not valid YAML"),
        ("a: !!int x\n", "f: is not valid YAML"),
        ("[" * 5000, "f, line 1: is nested more than 50 levels deep"),
    ],
)
def test_invalid_yaml_is_reported_with_its_line_and_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse_yaml(text, "f")
    assert error.value.remedy


def _alias_bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


HOSTILE = {
    "aliases of lists": _alias_bomb(9),
    "aliases of mappings": "a: &a {x: 1, y: 2}\n"
    + "\n".join(f"b{n}: &b{n} {{p: *{f'b{n - 1}' if n else 'a'}, q: *{f'b{n - 1}' if n else 'a'}}}" for n in range(40)),
    "an alias of a long text": f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 12_000)}]",
    "merge keys": "a0: &a0 {x: 1, y: 2}\n"
    + "\n".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], z{n}: 1}}" for n in range(1, 40)),
    "an alias in itself": "a: &a [1, *a]",
    "many keys": "".join(f"k{n}: 1\n" for n in range(100_000)),
    "many items": "a: [" + "1, " * 300_000 + "1]",
    "a long text": "a: " + "x" * 900_000,
    "a long block": "a: |\n" + "  some text\n" * 80_000,
    "a long key": "x" * 900_000 + ": 1",
    "deep lists": "a: " + "[" * 400_000,
    "deep mappings": "".join(" " * n + "a:\n" for n in range(1_200)),
    "deep questions": "? " * 300_000,
    "many digits": "a: " + "9" * 900_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_would_expand_without_end_is_refused_at_once(kind: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError) as error:
        parse_yaml(HOSTILE[kind], "f")
    assert time.process_time() - began < 1
    assert len(str(error.value)) < 500


def test_an_anchor_that_is_used_a_few_times_is_read() -> None:
    text = "a: &a {low: 1, high: 2}\nb: *a\nc:\n  <<: *a\n  log: true\n"
    assert parse_yaml(text, "f") == {
        "a": {"low": 1, "high": 2},
        "b": {"low": 1, "high": 2},
        "c": {"low": 1, "high": 2, "log": True},
    }


def test_a_number_of_thousands_of_digits_is_named_in_our_words() -> None:
    with pytest.raises(ConfigError, match="holds a number of thousands of digits"):
        parse_yaml(f"field: {'9' * 5000}\n", "f")
