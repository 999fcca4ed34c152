"""Pages as HTML: one self-contained file, light and dark, readable in a panel of 600 pixels and without a script.

A stage defines the content (`page.py`); this module and `templates/` define the appearance. Everything is escaped; the
only markup that passes is an SVG element that only draws (`svg.is_plain`), the only pictures are PNG and JPEG within the page,
and the only script that a browser may run is Naru's, which makes links work in the Kubeflow UI: the page allows it by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from components._core.checks import METRIC, Check
from components._core.files import write_text
from components._core.report.number_format import MISSING, is_number, show, show_column
from components._core.report.page import Block, Cell, Page
from components._core.report.palette import style_sheet
from components._core.report.svg import is_plain, label, prefix_ids, width_of

_TEMPLATES = Path(__file__).parent / "templates"
_OWN_ANCHORS = ("summary", "stages", "checks-heading")
_URGENCY = {"fail": 0, "warn": 1, "no_baseline": 2}
_HEADLINES = {
    "failed": "Failed at {stage}",
    "blocked": "Blocked at {stage}",
    "skipped": "Ended without {stage}",
    "warn": "Passed, with warnings from {stage}",
}
_SMALL = 320.0
_PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/]+={0,2}")
_WORDS = {"ok": "ok", "no_baseline": "no baseline"}
_CHECK_NUMBERS = {"measured": "Measured", "threshold": "Bound", "baseline": "Baseline", "n": "Rows"}


def render_page(page: Page) -> str:
    """Render one stage's page as a complete HTML document."""
    section = _section(page, _anchors([page])[0])
    return _environment().get_template("page.html").render(section=section, title=page.title)


def write_page(page: Page, path: Path) -> None:
    """Write one stage's page as one file, atomically."""
    write_text(path, _writable(render_page(page)))


def write_report(
    title: str,
    pages: list[Page],
    stages: list[dict[str, Any]],
    facts: dict[str, Cell],
    path: Path,
    primary: str = "",
) -> None:
    """Write the pages of a run as one report file.

    Args:
        title: Title with project and run.
        pages: The pages of the stages, in the order in which they are read.
        stages: Metadata of each stage's artifact (`lifecycle.py`): stage, verdict, reason, import_seconds,
            work_seconds, metric_*. Those without a stage are left out.
        facts: The few values shown first.
        path: Path of the report file.
        primary: Name of the metric that decides, which is listed before a stage's others.
    """
    sections = [_section(page, anchor) for page, anchor in zip(pages, _anchors(pages), strict=True)]
    ran = [stage for stage in stages if stage.get("stage")]
    html = (
        _environment()
        .get_template("report.html")
        .render(
            title=title,
            facts=_facts(facts),
            verdict=_verdict(pages, ran),
            sections=sections,
            problems=_checks_with_status(sections, {"fail", "warn"}),
            unjudged=_checks_with_status(sections, {"no_baseline"}),
            checks_total=sum(len(rows) for section in sections for rows in section["check_rows"]),
            stages=_stage_rows(ran),
            metrics=_metric_rows(ran, primary),
        )
    )
    write_text(path, _writable(html))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = environment.get_template("links.js").render()
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    environment.globals["script_hash"] = base64.b64encode(digest).decode("ascii")
    environment.globals["palette"] = style_sheet()
    environment.filters.update(show=show, words=_words, prose=_prose, paragraphs=_paragraphs)
    return environment


def _section(page: Page, anchor: str) -> dict[str, Any]:
    """Convert a page for the templates; checks that no block shows are appended."""
    blocks = list(page.blocks)
    if page.outcome.checks and not any(block.kind == "checks" for block in blocks):
        extra = Page(page.stage, page.title)
        extra.checks(page.outcome.checks)
        blocks += extra.blocks
    shown = [_block(block, f"{anchor}_{number}") for number, block in enumerate(blocks, 1)]
    return {
        "anchor": anchor,
        "stage": page.stage,
        "title": page.title,
        "verdict": page.outcome.verdict,
        "reason": page.outcome.reason,
        "groups": _grouped(shown),
        "check_rows": [block["checks"]["rows"] for block in shown if block["kind"] == "checks"],
    }


def _block(block: Block, anchor: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "kind": block.kind, "title": block.title, "note": block.note, "folded": block.folded, "anchor": anchor, "content": block.content
    }  # fmt: skip
    match block.kind:
        case "table":
            shown["table"] = _table(block.content["columns"], block.content["rows"])
        case "checks":
            shown["checks"] = _checks([Check(**check) for check in block.content], anchor)
        case "facts":
            shown["facts"] = _facts(block.content)
        case "figure" if is_plain(block.content):
            named = label(prefix_ids(block.content, anchor), str(escape(block.title or "figure")))
            shown["small"] = width_of(block.content) <= _SMALL
            shown["svg"] = Markup(named)  # noqa: S704 - it was just checked to only draw
        case "pictures":
            shown["pictures"] = [_picture(picture) for picture in block.content]
        case "text" | "code":
            pass
        case _:
            # a figure with more than drawing elements, or a kind of a later version: shown as text
            shown.update(kind="code", content=str(block.content))
    return shown


def _picture(picture: dict[str, Any]) -> dict[str, Any]:
    """Return a picture for the template; an address that is not a PNG or JPEG within the page is left out."""
    uri = str(picture["uri"])
    return {"uri": uri if _PICTURE.fullmatch(uri) else "", "lines": [str(line) for line in picture["lines"]]}


def _grouped(blocks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Group consecutive figures, which are shown side by side where there is room."""
    groups: list[list[dict[str, Any]]] = []
    for block in blocks:
        if block["kind"] == "figure" and groups and groups[-1][-1]["kind"] == "figure":
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _table(columns: list[str], rows: list[list[Cell]]) -> dict[str, Any]:
    width = len(columns)
    padded = [[*row, *[None] * width][:width] for row in rows]
    by_column = [[row[number] for row in padded] for number in range(width)]
    numeric = [_is_numeric(values) for values in by_column]
    texts = [
        show_column(values) if number else [show(value) for value in values]
        for values, number in zip(by_column, numeric, strict=True)
    ]
    return {
        "columns": list(zip(columns, numeric, strict=True)),
        "rows": [list(zip(row, numeric, strict=True)) for row in zip(*texts, strict=True)],
    }


def _is_numeric(values: list[Cell]) -> bool:
    lines = [value for value in values if value is not None]
    return bool(lines) and all(is_number(value) for value in lines)


def _checks(checks: list[Check], anchor: str) -> dict[str, Any]:
    shown = [name for name in _CHECK_NUMBERS if any(getattr(check, name) is not None for check in checks)]
    numbers = [show_column([getattr(check, name) for check in checks]) if name == "n" else
               [show(getattr(check, name)) for check in checks] for name in shown]  # fmt: skip
    rows = [
        {"check": check, "anchor": f"{anchor}_check_{row + 1}", "numbers": [column[row] for column in numbers]}
        for row, check in enumerate(checks)
    ]
    return {"columns": [_CHECK_NUMBERS[name] for name in shown], "rows": rows}


def _facts(facts: dict[str, Cell]) -> list[tuple[str, str]]:
    return [(name, show(value)) for name, value in facts.items()]


def _anchors(pages: list[Page]) -> list[str]:
    """Return an anchor for each page, from its stage; a second page of a stage gets a number."""
    seen = dict.fromkeys(_OWN_ANCHORS, 1)
    anchors = []
    for page in pages:
        name = re.sub(r"[^a-z0-9]+", "-", page.stage.lower()).strip("-") or "page"
        seen[name] = seen.get(name, 0) + 1
        anchors.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return anchors


def _checks_with_status(sections: list[dict[str, Any]], statuses: set[str]) -> list[dict[str, Any]]:
    """Return every check with one of some statuses, failures first."""
    rows = [
        {**row, "title": section["title"]} for section in sections for rows in section["check_rows"] for row in rows
        if row["check"].status in statuses
    ]  # fmt: skip
    return sorted(rows, key=lambda row: _URGENCY[row["check"].status])


def _verdict(pages: list[Page], stages: list[dict[str, Any]]) -> dict[str, str]:
    """Summarise the run in one line: what failed or blocked first, else a missing last stage, else the warnings.

    Skipped stages in between, such as a search without trials, are not mentioned.
    """
    lines = [(str(stage["stage"]), str(stage.get("verdict", "ok")), str(stage.get("reason") or "")) for stage in stages]
    known = {name for name, *_ in lines}
    lines += [(page.stage, page.outcome.verdict, page.outcome.reason) for page in pages if page.stage not in known]
    for verdict, line in _HEADLINES.items():
        found = [(stage, reason) for stage, said, reason in lines if said == verdict]
        if verdict == "skipped":
            found = [entry for entry in found if entry[0] == lines[-1][0]]
        if found:
            stage = _join_names([name for name, _ in found]) if verdict == "warn" else found[0][0]
            reason = lines[-1][2] if verdict == "warn" else found[0][1]
            return {"verdict": verdict, "line": line.format(stage=stage), "reason": reason}
    return {"verdict": "ok", "line": "Passed", "reason": lines[-1][2] if lines else ""}


def _join_names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _stage_rows(stages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the stages with the width of their bars, in percent of the longest."""
    seconds = [(_seconds(stage, "import_seconds"), _seconds(stage, "work_seconds")) for stage in stages]
    longest = max([sum(pair) for pair in seconds], default=0.0) or 1.0
    rows = [
        {
            "stage": str(stage["stage"]),
            "verdict": str(stage.get("verdict", "ok")),
            "reason": str(stage.get("reason") or ""),
            "seconds": f"{imports + work:.1f}",
            "imports": f"{imports:.1f}",
            "work": f"{work:.1f}",
            "import_width": f"{100 * imports / longest:.2f}",
            "work_width": f"{100 * work / longest:.2f}",
        }
        for stage, (imports, work) in zip(stages, seconds, strict=True)
    ]
    imports, work = sum(pair[0] for pair in seconds), sum(pair[1] for pair in seconds)
    return {"rows": rows, "seconds": f"{imports + work:.1f}", "imports": f"{imports:.1f}", "work": f"{work:.1f}"}


def _seconds(stage: dict[str, Any], name: str) -> float:
    value = stage.get(name)
    return max(float(value), 0.0) if is_number(value) and math.isfinite(value) else 0.0


def _metric_rows(stages: list[dict[str, Any]], primary: str) -> dict[str, Any]:
    rows: list[list[Cell]] = [
        [str(stage["stage"]), name.removeprefix(METRIC), value]
        for stage in stages
        for name, value in sorted(stage.items(), key=lambda found: (found[0] != METRIC + primary, found[0]))
        if name.startswith(METRIC)
    ]
    return _table(["Stage", "Metric", "Value"], rows) if rows else {}


def _words(status: str) -> str:
    return _WORDS.get(status, status)


def _prose(text: object) -> Markup:
    """Escape a text, and set `code` between backticks as code."""
    marked = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(marked)  # noqa: S704 - escaped in the line above


def _paragraphs(text: object) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", str(text).strip()) if part] or [MISSING]


def _writable(html: str) -> str:
    """Make a text valid in UTF-8: a lone surrogate, as in undecodable file names, becomes a question mark."""
    return html.encode("utf-8", "replace").decode("utf-8")
