"""Base types of the sections of a project file: closed, frozen, and strict where pydantic would coerce."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    model_serializer,
)


def _reject_bool(value: Any) -> Any:
    """Reject `yes` as a number: pydantic would accept it as 1."""
    if isinstance(value, bool):
        raise ValueError(f"found {str(value).lower()}; must be a number")
    return value


Real = Annotated[float, BeforeValidator(_reject_bool)]
Hyperparameter = (
    StrictBool | StrictInt | StrictFloat | str
)  # strict: a whole number survives a round trip as a whole number


AUTO = "auto"


def check_names(value: Any, allowed: str, twice: str = "{!r} is named twice") -> Any:
    """Refuse what is neither `auto` nor a list of different names, in one sentence for both forms."""
    if value == AUTO:
        return value
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(f"found {repr(value)[:80]}; must be auto, or {allowed}")
    if repeated := next((name for name in value if value.count(name) > 1), ""):
        raise ValueError(twice.format(repeated[:80]))
    return value


class Section(BaseModel):
    """A mapping that rejects unknown fields.

    Attributes:
        later: Fields that the section did not have at first. They are serialized only when they differ from their default: a
            stage's work is identified by this text, and must not run again because Naru has a new key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _leave_out_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        for name in self.later:
            if getattr(self, name) == type(self).model_fields[name].default:
                fields.pop(name, None)
        return fields
