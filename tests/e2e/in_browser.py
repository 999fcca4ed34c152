"""What a person does in KFP's page to start a run; prints the run's id.

python in_browser.py '{"ui": ..., "browser": ..., "pipeline": ..., "parameters": {...}}'
"""

import json
import re
import sys
from typing import Any

from playwright.sync_api import Page, sync_playwright

RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def start_run(page: Page, asked: dict[str, Any]) -> str:
    page.goto(f"{asked['ui']}/#/pipelines")
    page.get_by_text(asked["pipeline"], exact=True).first.click()
    page.get_by_text("ingest", exact=True).first.wait_for()  # the graph: before, no version is chosen
    page.locator("#createNewRunBtn").click()
    for name, value in asked["parameters"].items():
        page.locator(f"#{name}").fill(value)
    start = page.locator("#startNewRunBtn")
    start.wait_for()
    start.click()
    page.wait_for_url(re.compile("#/runs/details/"))  # its own page
    found = RUN.search(page.url)
    if found is None:
        raise SystemExit("the page shows no run after Start")
    return found[0]


def main() -> None:
    asked = json.loads(sys.argv[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked["browser"], args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1600})
        page.set_default_timeout(60_000)
        print(start_run(page, asked))
        browser.close()


if __name__ == "__main__":
    main()
