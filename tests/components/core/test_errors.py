"""An error crosses processes as a dictionary."""

import pytest

from components._core import errors
from components._core.errors import NaruError

TREE = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, NaruError)]


@pytest.mark.parametrize("kind", TREE)
def test_an_error_comes_back_as_what_it_was(kind: type[NaruError]) -> None:
    error = kind("no file matches 'x'", where="data.source", remedy="correct it")
    again = NaruError.from_dict(error.to_dict())
    assert type(again) is kind and str(again) == str(error) and again.exit_code == error.exit_code


def test_an_error_of_a_kind_of_its_own_comes_back_as_the_class_of_that_kind() -> None:
    class RolloutError(errors.ServiceError):
        pass

    assert type(NaruError.from_dict(RolloutError("x").to_dict())) is errors.ServiceError


def test_what_another_version_wrote_is_an_error_too() -> None:
    again = NaruError.from_dict({"kind": "weather", "message": "rain", "more": 1})
    assert (again.kind, again.exit_code, again.message, again.where) == ("internal", 1, "rain", "")
