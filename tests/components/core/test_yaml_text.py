import pytest

from components._core.errors import ConfigError
from components._core.yaml_text import parse_yaml


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
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "f, line 3: is not valid YAML: 'a' stands twice\n  -> keep one"),
        ("a: [1\nb: 2\n", "f, line 2: .*\n  -> look at this line and the one before"),
        ("a:\n\tb: 1\n", "f, line 2: .*\n  -> indent with spaces"),
        ("a: {b: t-{span}.csv}\n", "f, line 1: .*\n  -> .*put odd text in quotes"),
        ("a: *other\n", "f, line 1: .*undefined alias"),
        ("a: !!python/object/apply:os.system [ls]\n", "f, line 1: .*constructor"),
        ("? [a, b]\n: 1\n", "f, line 1: .*unhashable"),
        ("a: \x00\n", "f: is not valid YAML"),
        ("a: !!int x\n", "f: is not valid YAML"),
        ("[" * 5000, "f: is not valid YAML"),
    ],
)
def test_text_that_is_no_yaml_is_told_with_its_line_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        parse_yaml(text, "f")
    assert error.value.remedy
