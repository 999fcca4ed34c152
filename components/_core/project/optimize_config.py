"""The part of the project file about optimised variants: forms of the model that answer faster, and how far they may differ from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from components._core.project.config_types import AUTO, Real, Section, check_names

OFF = "off"
_FORMS = "must be off, auto, a list of variants as in [int8], or a section with `variants` and bounds"


def _check_variants(value: Any) -> Any:
    return check_names(value, "a list of variants as in [folded, int8]", "names {!r} twice; remove one")


class Optimize(Section):
    """Variants of the model that are made, compared with it, and served in its place when they are faster (docs/serving.md)."""

    variants: Annotated[
        Literal["auto"] | list[str],
        BeforeValidator(_check_variants),
        Field(
            description="`auto`: all that the framework can make here; or their names, of `folded`, `float16`, `int8`, `onnx` and `xla`."
        ),
    ] = "auto"
    max_difference: Annotated[
        Real,
        Field(
            ge=0,
            le=1,
            description="Largest difference of any score of an eval row from the model's: of a probability as it is, of a prediction in "
            "standard deviations of all predictions.",
        ),
    ] = 0.02
    max_changed_classes: Annotated[
        Real, Field(ge=0, le=1, description="Largest share of the eval rows whose predicted class may be another one.")
    ] = 0.005
    max_metric_loss: Annotated[
        Real,
        Field(
            ge=0,
            le=1,
            description="How much worse the primary metric may be on the eval rows, as a share of the model's own value.",
        ),
    ] = 0.001
    min_speedup: Annotated[
        Real,
        Field(
            ge=1,
            le=100,
            description="How many times as fast a variant must be, in the geometric mean of calls with one row and with a thousand.",
        ),
    ] = 1.1

    @property
    def named(self) -> tuple[str, ...]:
        """The variants that the project names; empty for `auto`."""
        return () if self.variants == AUTO else tuple(self.variants)


def _expand(value: Any) -> Any:
    """Accept the short forms: `off` is no section, `auto` and `[int8]` are `{variants: ...}`."""
    if value is None or value == OFF:
        return None
    if value == AUTO or isinstance(value, list):
        return {"variants": value}
    if not isinstance(value, dict | Optimize):
        raise ValueError(f"found {repr(value)[:80]}; {_FORMS}")
    return value


def _allow_short_forms(schema: dict[str, Any]) -> None:
    """Name the short forms in the JSON Schema."""
    schema["anyOf"] += [{"enum": [OFF, AUTO]}, {"type": "array", "items": {"type": "string"}}]


OptionalOptimize = Annotated[
    Optimize | None,
    BeforeValidator(_expand),
    Field(
        description="Optimised variants of the model: `off`, `auto`, the names of some, or `{variants: auto, max_difference: 0.02}`. The fastest "
        "that passes every bound is served in place of the model; absent: none is made.",
        json_schema_extra=_allow_short_forms,
    ),
]
