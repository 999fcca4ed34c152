"""The page of a stage as data: blocks in order, saved beside the outcome, rendered alone or in the run's report.

A stage defines the content; `html.py` and its templates define the appearance. Every page is one
self-contained HTML file: no network, no script needed to read it, readable at 600 pixels (the Kubeflow side panel) and
on a large screen.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components._core.checks import Check, Outcome
from components._core.files import read_json, write_text
from components._core.types.artifact_files import OUTCOME, PAGE

Cell = str | float | int | None


@dataclass(frozen=True)
class Picture:
    """A picture with a few words.

    Attributes:
        uri: The picture as a data URI of a PNG or JPEG; empty: there is none to show.
        lines: Lines below it.
    """

    uri: str
    lines: list[str]


@dataclass
class Block:
    """One piece of a page.

    Attributes:
        kind: `text`, `table`, `figure`, `pictures`, `checks`, `code` or `facts`.
        title: Heading of the block; empty for none.
        content: Content by kind; see the methods of `Page`.
        note: A sentence below the block: how to read it.
        folded: Whether it starts closed.
    """

    kind: str
    title: str
    content: Any
    note: str = ""
    folded: bool = False


@dataclass
class Page:
    """The page of one stage.

    Attributes:
        stage: The stage's name.
        title: The heading, as a person would say it: "Data", "Evaluation".
        outcome: Outcome of the stage.
        blocks: Content in order.
    """

    stage: str
    title: str
    outcome: Outcome = field(default_factory=Outcome)
    blocks: list[Block] = field(default_factory=list)

    def text(self, text: str, title: str = "") -> None:
        """Add a paragraph of plain text."""
        self.blocks.append(Block("text", title, text))

    def facts(self, facts: dict[str, Cell], title: str = "") -> None:
        """Add a few named values in large type, such as rows, AUC, latency."""
        self.blocks.append(Block("facts", title, facts))

    def table(
        self, title: str, columns: list[str], rows: list[list[Cell]], note: str = "", folded: bool = False
    ) -> None:
        """Add a table; the renderer aligns numbers and rounds them to four digits."""
        self.blocks.append(Block("table", title, {"columns": columns, "rows": rows}, note, folded))

    def figure(self, title: str, svg: str, note: str = "") -> None:
        """Add a plot as an SVG document, made by `components._core.report.plots`."""
        self.blocks.append(Block("figure", title, svg, note))

    def pictures(self, title: str, pictures: list[Picture], note: str = "") -> None:
        """Add pictures side by side, each with a few words; their data is part of the page, so keep them few and small."""
        self.blocks.append(Block("pictures", title, [asdict(picture) for picture in pictures], note))

    def checks(self, checks: tuple[Check, ...], title: str = "Checks") -> None:
        """Add checks with their status, number, bound, baseline, n and reason."""
        self.blocks.append(Block("checks", title, [asdict(check) for check in checks]))

    def code(self, title: str, text: str, note: str = "", folded: bool = True) -> None:
        """Add preformatted text, such as a diff or a command."""
        self.blocks.append(Block("code", title, text, note, folded))

    def save(self, folder: Path) -> None:
        """Write outcome and page as data into a stage's artifact."""
        self.outcome.save(folder / OUTCOME)
        value = {"stage": self.stage, "title": self.title, "blocks": [asdict(block) for block in self.blocks]}
        # facts are shown in their given order, so keys are not sorted here
        write_text(folder / PAGE, json.dumps(value, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Page:
        """Read what `save` wrote."""
        raw = read_json(folder / PAGE)
        return cls(
            raw["stage"], raw["title"], Outcome.load(folder / OUTCOME), [Block(**block) for block in raw["blocks"]]
        )
