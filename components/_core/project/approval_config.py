"""The part of the project file about approvals: who must agree before a version is rolled out."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from components._core.project.config_types import Section
from components._core.project.durations import Duration


class Approval(Section):
    """Who must approve a version before it is rolled out (docs/approval.md)."""

    who: Annotated[
        list[str],
        Field(
            description="Who may approve: names of the system's users, e-mail addresses as git has them, or subjects of the tokens of a "
            "KFP server; empty: everyone who may write to the store."
        ),
    ] = []
    expires: Annotated[
        Duration,
        Field(
            description="How long a request can be approved, as in `7d`; afterwards a new run requests approval again."
        ),
    ] = "7d"

    @field_validator("who")
    @classmethod
    def _names_are_not_empty(cls, value: list[str]) -> list[str]:
        if any(not name.strip() for name in value):
            raise ValueError("found an empty name; allowed: users, e-mail addresses, subjects of tokens")
        return value


def _from_list(value: Any) -> Any:
    """Accept the names alone: `[ada, grace]` is `{who: [ada, grace]}`."""
    return {"who": value} if isinstance(value, list) else value


def _allow_list(schema: dict[str, Any]) -> None:
    """Name the short form in the JSON Schema."""
    schema["anyOf"].append({"type": "array", "items": {"type": "string"}})


OptionalApproval = Annotated[
    Approval | None,
    BeforeValidator(_from_list),
    Field(
        description="Who must approve a version before it is rolled out: `{who: [ada], expires: 7d}`, or the names alone; absent: no approval is needed.",
        json_schema_extra=_allow_list,
    ),
]
