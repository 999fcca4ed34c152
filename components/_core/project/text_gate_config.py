"""The section of the project file about the bounds of texts (`gates.data.texts`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components._core.project.config_types import Real, Section

Share = Annotated[Real, Field(ge=0, lt=1)]


class TextGates(Section):
    """Bounds of the checks of texts: shares of the texts above which each is a finding."""

    empty: Annotated[Share, Field(description="Share of texts that are missing or blank.")] = 0.001
    long: Annotated[Share, Field(description="Share of texts that are unusually long.")] = 0.001
    length_ratio: Annotated[
        Real,
        Field(
            gt=1,
            description="How many times longer than the median an unusually long text is, at least; more where lengths vary much.",
        ),
    ] = 10.0
    language: Annotated[
        Share,
        Field(
            description="Share of texts in another language than `data.texts.language`, or than most; short ones count only if their script differs."
        ),
    ] = 0.01
    damaged: Annotated[Share, Field(description="Share of texts whose bytes were read in a wrong encoding.")] = 0.001
    markup: Annotated[Share, Field(description="Share of texts with tags or references to characters.")] = 0.001
    duplicates: Annotated[Share, Field(description="Share of texts that equal an earlier one.")] = 0.01
    near_duplicates: Annotated[Share, Field(description="Share of texts that nearly equal an earlier one.")] = 0.01
    two_splits: Annotated[
        Share, Field(description="Share of the eval and test texts that equal, or nearly equal, one of another split.")
    ] = 0.01
    two_labels: Annotated[Share, Field(description="Share of texts that equal one with another label.")] = 0.001
    unseen_words: Annotated[
        Share,
        Field(
            description="How much larger the share of words that training has not seen may be than is expected of texts of the same kind."
        ),
    ] = 0.1
    personal_data: Annotated[
        Share, Field(description="Share of texts with mail addresses, phone, card or resident numbers.")
    ] = 0.0
