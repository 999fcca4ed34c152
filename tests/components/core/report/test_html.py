"""Pages and reports: complete, escaped, readable without a network or a script."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from components._core.checks import Check, Outcome, judge
from components._core.report import plots
from components._core.report.html import render_page, write_page, write_report
from components._core.report.page import Page, Picture

HOSTILE = "<script>alert('1')</script><img src=x onerror=alert(2)>\"&`<b>`"
VOID = {"meta", "br", "img", "link", "hr", "input"}
CHECKS = (
    Check("auc", "pass", 0.90423, 0.85, None, 32734, "0.9042 is at least 0.85"),
    Check("slice: origin=LGA", "warn", 0.871, 0.88, None, 9810, "lower than the whole"),
    Check("drift: carrier", "no_baseline", None, 0.3, reason="nothing to compare with"),
    Check("auc against the champion", "fail", -0.0031, 0.0, 0.9073, 32734, "the champion is better"),
    Check("drift: origin", "skipped", reason="too few rows"),
)
STAGES: list[dict[str, Any]] = [
    {"stage": "ingest", "verdict": "ok", "reason": "336,776 rows", "import_seconds": 0.4, "work_seconds": 2.1},
    {
        "stage": "train",
        "verdict": "ok",
        "reason": "8 epochs",
        "import_seconds": 6.0,
        "work_seconds": 14.0,
        "metric_loss": 0.29114,
    },
]


class Reader(HTMLParser):
    """Reads a page as a browser would: its elements, ids, links and text; fails on elements that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.text).split())

    def values(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.elements if (value := attrs.get(attribute)) is not None]


def page_with_everything(words: str = "words") -> Page:
    page = Page("evaluate", f"Evaluation {words}", judge(list(CHECKS)))
    page.text(f"First {words}.\n\nSecond.", words)
    page.facts({words: 336776, "AUC": 0.90423, "version": None}, words)
    page.table(words, ["metric", words], [["auc", 0.90423], [words, 4.2]], words, folded=True)
    page.figure(words, plots.bars({words: 1.0, "other": 2.0}, words), words)
    page.checks(CHECKS, words)
    page.code(words, f"+ {words}", words)
    return page


def report(
    tmp_path: Path, pages: list[Page], stages: list[dict[str, Any]] | None = None, title: str = "flights"
) -> str:
    path = tmp_path / "report.html"
    write_report(title, pages, STAGES if stages is None else stages, {"AUC": 0.90423}, path)
    return path.read_text(encoding="utf-8")


def test_the_metric_that_decides_is_listed_before_a_stages_others(tmp_path: Path) -> None:
    stages = [{"stage": "evaluate", "verdict": "ok", "metric_accuracy": 0.8, "metric_auc": 0.9, "metric_f1": 0.7}]
    path = tmp_path / "report.html"
    write_report("flights", [], stages, {}, path, "f1")
    said = path.read_text(encoding="utf-8").partition("Metric</th>")[2]
    assert sorted(("f1", "accuracy", "auc"), key=lambda name: said.index(f">{name}<")) == ["f1", "accuracy", "auc"]


def test_a_page_shows_every_kind_of_block() -> None:
    read = Reader(render_page(page_with_everything()))
    assert {"table", "figure", "svg", "details", "dl", "pre"} <= {tag for tag, _ in read.elements}
    for piece in ("First words.", "Second.", "336,776", "0.9042", "the champion is better", "+ words", "no baseline"):
        assert piece in read.said


def test_hostile_text_stays_text_everywhere(tmp_path: Path) -> None:
    page = page_with_everything(HOSTILE)
    page.stage = HOSTILE
    page.outcome = judge([Check(HOSTILE, "fail", reason=HOSTILE)], HOSTILE, {HOSTILE: 1.0})
    stages = [{"stage": HOSTILE, "verdict": HOSTILE, "reason": HOSTILE, f"metric_{HOSTILE}": 1.0}]
    for html in (render_page(page), report(tmp_path, [page], stages, HOSTILE)):
        read = Reader(html)
        assert {tag for tag, _ in read.elements}.isdisjoint({"img", "b", "iframe", "link"})
        assert [tag for tag, _ in read.elements].count("script") == 1, "ours"
        assert not [name for _, attrs in read.elements for name in attrs if name.startswith("on")]
        assert "<script>alert('1')</script>" in read.said


@pytest.mark.parametrize(
    "svg",
    [
        '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><a href="javascript:alert(1)"><text>x</text></a></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><use href="https://example.org/x#y"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><rect style="fill: url(https://example.org/x)"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><foreignObject><p>x</p></foreignObject></svg>',
        '<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
        "<img src=x onerror=alert(1)>",
        "<svg",
        "",
    ],
)
def test_a_figure_that_does_more_than_draw_is_shown_as_text(svg: str) -> None:
    page = Page("evaluate", "Evaluation")
    page.figure("ROC", svg)
    read = Reader(render_page(page))
    assert [attrs for tag, attrs in read.elements if tag == "svg" and attrs.get("class") != "icon"] == []
    assert {tag for tag, _ in read.elements}.isdisjoint({"img", "a", "foreignobject"})
    assert [tag for tag, _ in read.elements].count("script") == 1, "ours"
    assert " ".join(svg.split()) in read.said


def test_a_report_needs_no_network(tmp_path: Path) -> None:
    html = report(tmp_path, [page_with_everything()])
    read = Reader(html)
    assert {tag for tag, _ in read.elements}.isdisjoint({"link", "img", "iframe"})
    assert all(address.startswith("#") for address in read.values("href") + read.values("src"))
    assert not re.search(r"@import|url\((?!#)", html)


def test_no_script_may_run_but_the_one_whose_hash_the_page_names(tmp_path: Path) -> None:
    html = report(tmp_path, [page_with_everything()])
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html


def test_no_two_elements_share_an_id_even_if_pages_and_figures_repeat(tmp_path: Path) -> None:
    ids = Reader(report(tmp_path, [page_with_everything(), page_with_everything()])).values("id")
    assert len(ids) == len(set(ids))


def test_every_link_leads_somewhere(tmp_path: Path) -> None:
    read = Reader(report(tmp_path, [page_with_everything(), Page("deploy", "Deployment")]))
    assert {address[1:] for address in read.values("href")} <= set(read.values("id"))


def test_the_report_gathers_what_failed_first(tmp_path: Path) -> None:
    said = Reader(report(tmp_path, [page_with_everything()])).said
    gathered = said[said.index("What to look at") : said.index("Stages", said.index("What to look at"))]
    order = [gathered.index(name) for name in ("auc against the champion", "slice: origin=LGA", "drift: carrier")]
    assert order == sorted(order)
    assert "drift: origin" not in gathered


def test_checks_that_no_block_shows_are_shown_nevertheless() -> None:
    page = Page("evaluate", "Evaluation", judge([CHECKS[3]]))
    assert "the champion is better" in Reader(render_page(page)).said


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        ("ok", "Passed"),
        ("warn", "Passed, with warnings from evaluate"),
        ("blocked", "Blocked at evaluate"),
        ("skipped", "Ended without evaluate"),
    ],
)
def test_the_verdict_of_a_run_is_reported_in_words(tmp_path: Path, verdict: Any, line: str) -> None:
    pages = [Page("evaluate", "Evaluation", Outcome(verdict, "because of it"))]
    said = Reader(report(tmp_path, pages)).said
    assert f"{line} because of it" in said


def test_a_failed_stage_is_the_headline(tmp_path: Path) -> None:
    pages = [Page("tune", "Tuning", Outcome("skipped", "no trials"))]
    stages = [{"stage": "train", "verdict": "failed", "reason": "the loss is not a number"}]
    assert "Failed at train the loss is not a number" in Reader(report(tmp_path, pages, stages)).said


def test_a_skipped_stage_in_between_is_not_a_headline(tmp_path: Path) -> None:
    stages = [{"stage": "tune", "verdict": "skipped"}, {"stage": "deploy", "verdict": "ok", "reason": "version 3"}]
    assert "Passed version 3" in Reader(report(tmp_path, [], stages)).said


def test_a_run_with_warnings_says_how_it_ended(tmp_path: Path) -> None:
    stages = [
        {"stage": "validate", "verdict": "warn", "reason": "11 columns"},
        {"stage": "deploy", "reason": "version 3"},
    ]
    assert "Passed, with warnings from validate version 3" in Reader(report(tmp_path, [], stages)).said


def test_a_block_outweighs_what_was_skipped_after_it(tmp_path: Path) -> None:
    pages = [Page("deploy", "Deployment", Outcome("skipped", "nothing to deploy"))]
    stages = [{"stage": "evaluate", "verdict": "blocked", "reason": "the champion is better"}]
    assert "Blocked at evaluate the champion is better" in Reader(report(tmp_path, pages, stages)).said


def test_the_table_of_stages_separates_imports_from_work(tmp_path: Path) -> None:
    read = Reader(report(tmp_path, []))
    assert "6.0 s imports, 14.0 s work" in read.values("aria-label")
    assert "22.5 6.4 s imports, 16.1 s work" in read.said
    assert "loss 0.2911" in read.said


@pytest.mark.parametrize(
    "stages", [[], [{}], [{"stage": "train"}], [{"stage": "train", "work_seconds": float("nan"), "reason": None}]]
)
def test_a_stage_with_little_metadata_does_not_break_the_report(tmp_path: Path, stages: list[dict[str, Any]]) -> None:
    assert "Stages" in Reader(report(tmp_path, [], stages)).said


def test_numbers_stand_right_with_four_digits_and_names_are_row_headings() -> None:
    page = Page("evaluate", "Evaluation")
    page.table(
        "Metrics",
        ["metric", "value", "champion"],
        [["auc", 0.904231, None], ["loss", 1.2], ["rows", float("nan"), 3.5]],
    )
    html = render_page(page)
    assert '<th scope="row" class="whole">auc</th><td class="number">0.9042</td><td class="number">–</td>' in html
    assert '<td class="number">1.2000</td>' in html
    assert '<td class="number">NaN</td>' in html


def test_an_empty_table_and_an_empty_page_are_drawn() -> None:
    page = Page("evaluate", "Evaluation")
    page.table("Slices", ["slice", "auc"], [])
    page.checks(())
    assert Reader(render_page(page)).said.count("none") == 2
    assert "Nothing to show" in Reader(render_page(Page("evaluate", "Evaluation"))).said


@pytest.mark.parametrize(("widths", "classes"), [((280, 300), "figures small"), ((280, 560), "figures")])
def test_figures_drawn_small_stand_closer_together(widths: tuple[int, int], classes: str) -> None:
    page = Page("validate", "Data")
    for width in widths:
        page.figure("month", f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 80"/>')
    assert classes in Reader(render_page(page)).values("class")


def test_every_figure_and_every_scrolling_table_has_a_name_for_those_who_cannot_see_it() -> None:
    read = Reader(render_page(page_with_everything()))
    pictures = [attrs for tag, attrs in read.elements if tag == "svg" and attrs.get("class") != "icon"]
    assert pictures and all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in pictures)
    assert all(attrs.get("aria-label") for _, attrs in read.elements if attrs.get("role") == "region")


def test_a_page_that_was_saved_and_loaded_looks_the_same(tmp_path: Path) -> None:
    page = page_with_everything()
    page.save(tmp_path)
    assert render_page(Page.load(tmp_path)) == render_page(page)


def test_a_page_is_written_whole_and_the_same_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / "a.html", tmp_path / "b.html"]
    for path in paths:
        write_page(page_with_everything("\ud800 undecodable"), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == paths


def test_a_report_of_twenty_figures_stays_below_a_megabyte(tmp_path: Path) -> None:
    page = Page("evaluate", "Evaluation")
    curve = [number / 2_000 for number in range(2_001)]
    svg = plots.lines({name: (curve, [x**0.2 for x in curve]) for name in "abc"}, "x", "y", True)
    for number in range(20):
        page.figure(f"ROC {number}", svg)
    assert len(report(tmp_path, [page])) < 1_000_000


def test_pictures_are_shown_with_their_words_and_an_address_outside_the_page_is_not():
    page = Page("validate", "Data")
    inside = "data:image/png;base64,iVBORw0KGgo="
    outside = ("https://example.com/x.png", "data:image/svg+xml;base64,AAAA", inside + '" onerror="alert(1)')
    page.pictures("Blank", [Picture(uri, ["train, row 1", HOSTILE]) for uri in (inside, *outside)], "Why it matters.")
    html = render_page(page)
    read = Reader(html)
    assert [attributes["src"] for tag, attributes in read.elements if tag == "img"] == [inside]
    assert html.count("no picture") == len(outside) and "train, row 1" in " ".join(read.text)
    (policy,) = (attributes["content"] for tag, attributes in read.elements if "http-equiv" in attributes)
    assert policy and "img-src data:" in policy and "default-src 'none'" in policy
