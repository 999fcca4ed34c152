"""The monitor's page where Kubeflow's side panel shows it: a narrow frame without an origin, in which scripts may run, and only Naru's does.

The frame is that of KFP's `HTMLViewer.tsx`: `sandbox="allow-scripts"`, the page in `srcdoc`. It needs Chromium.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from matplotlib.image import imread

from components._core.checks import Check, Outcome
from components._core.report.html import render_page
from components._core.report.page import Page
from components._core.report.palette import LIGHT
from components._core.report.small_multiples import paired_bars, trend

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")]

FRAME = """<!DOCTYPE html><title>kfp</title><body style="margin: 0">
<iframe id="page" style="border: 0; width: 600px; height: 1200px" sandbox="allow-scripts" src="javascript:void(0);"></iframe>
<script>document.getElementById("page").srcdoc = %s;</script>"""
STRANGERS = "<script>document.body.textContent = ''</script><img src='http://192.0.2.1/x.png' onerror='document.body.textContent = 0'>"


def monitor_page() -> str:
    """A page with each kind of block that the monitor's has."""
    check = Check("skew: delay", "fail", 0.31, 0.1, n=6_300, reason="delay moved")
    page = Page("monitor", "Monitoring", Outcome("blocked", "delay moved from training", (check,)))
    page.facts({"version": "3", "rows": 6_300, "alarms": 1})
    page.table("What moved", ["what", "since (UTC)"], [["skew: delay", "01-28 09:00"]], "Since: the first window.")
    page.figure("delay: training (pale) and now", paired_bars(["low", "high"], [0.5, 0.5], [0.1, 0.9]))
    page.figure("skew: delay", trend([0.1, 0.3], ("01-27", "01-28"), 0.1, [False, True]))
    page.checks(page.outcome.checks)
    return render_page(page)


def show(content: str, folder: Path) -> tuple[set[str], list[str]]:
    """Show a page in the frame; returns the colours that are seen, and what the browser reports."""
    folder.mkdir()
    # in a script, `</` would end it
    (folder / "kfp.html").write_text(FRAME % json.dumps(content).replace("</", "<\\/"))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += [
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=620,1220",
        "--virtual-time-budget=3000",  # else the picture may be taken before the frame is painted
        f"--screenshot={folder / 'seen.png'}",
    ]
    done = subprocess.run(
        [*command, (folder / "kfp.html").as_uri()], capture_output=True, text=True, check=True, timeout=300
    )
    seen = (imread(folder / "seen.png")[..., :3] * 255).round().astype("uint8").reshape(-1, 3)
    return {f"#{bytes(pixel).hex()}" for pixel in seen}, [
        line for line in done.stderr.splitlines() if "CONSOLE" in line
    ]


def test_it_shows_its_figures_there_and_the_browser_has_nothing_to_report(tmp_path: Path) -> None:
    colours, reports = show(monitor_page(), tmp_path / "page")
    assert reports == []
    assert {LIGHT["ink"], LIGHT["bad"], LIGHT["series-1"]} <= {each.lower() for each in colours}


def test_a_script_or_an_address_that_came_into_it_is_refused_by_its_own_policy(tmp_path: Path) -> None:
    """Whatever a stranger may have brought into a value: the page allows its own script by its hash, and loads nothing."""
    colours, reports = show(monitor_page().replace("</body>", f"{STRANGERS}</body>"), tmp_path / "page")
    assert sum("Content Security Policy" in line for line in reports) >= 2
    assert LIGHT["bad"] in colours, "the text is still there"
