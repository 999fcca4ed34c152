"""The five biases that `naru feedback` shows, against counts by hand over the lines of a log and its labels."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from components.feedback.join_lines import describe
from tests.components.feedback.made import NOON, SIGNATURE, Place, request

REQUESTS = 4_000
NOW = NOON + timedelta(days=20)
SHARES = (0.5, 1.0)


def _line(number: int, source: random.Random) -> dict[str, Any]:
    score = source.random()
    outputs = {"probability": [score]}
    version, share = source.choice(["3", "3", "4"]), source.choice(SHARES)
    return request(number, NOON, version=version, share=share, outputs=outputs)


def _coverage(lines: list[dict[str, Any]], labelled: set[str]) -> tuple[float, float]:
    """The least and the largest share labelled of a tenth of the answers by their score."""
    scores = np.array([line["outputs"]["probability"][0] for line in lines])
    has_label = np.array([line["id"] in labelled for line in lines])
    deciles = np.searchsorted(np.quantile(scores, np.arange(1, 10) / 10), scores, side="right")
    shares = [has_label[deciles == decile].mean() for decile in range(10)]
    return min(shares), max(shares)


def test_the_five_biases_are_those_of_the_joined_rows(tmp_path: Path) -> None:
    source, place = random.Random(3), Place(tmp_path, labels={"time": "known"})
    lines = [_line(number, source) for number in range(REQUESTS)]
    foreign = [request(9_000 + number, model="another", share=0.25) for number in range(40)]
    counts = [
        {"dropped": 7, "model": "tiny", "version": "3", "log": 2},
        {"dropped": 100, "model": "another", "version": "3", "log": 2},
        {"refused": {"wrong_type": 2, "too_large": 1}, "model": "tiny", "version": "3", "log": 2},
        {"refused": {"wrong_type": 3}, "model": "tiny", "version": "4", "log": 2},
        {"refused": {"wrong_type": 500}, "model": "another", "version": "3", "log": 2},
    ]
    place.write_log([*lines, *foreign, *counts])
    # the higher the score, the more often a label is there: what was acted on is what was observed
    known = [line for line in lines if source.random() < 0.2 + 0.7 * line["outputs"]["probability"][0]]
    after = [source.random() < 0.6 for _ in known]
    place.write_labels(
        {
            "request": line["id"],
            "outcome": 1,
            "known": (NOON + timedelta(minutes=5 if is_after else -5)).isoformat(),
        }
        for line, is_after in zip(known, after, strict=True)
    )
    outputs = replace(SIGNATURE, outputs={"probability": "float32"})
    report = place.run(NOW, signature=outputs)
    assert report.rows == len(known)
    text = "\n".join(describe(report, place.settings(), write=True))
    least, most = _coverage(lines, {line["id"] for line in known})
    assert f"selective labels: coverage {least:.0%} to {most:.0%} by decile of the score" in text
    assert f"own influence: {sum(after) / len(after):.0%} of the labels came after the answer" in text
    versions, shares = (Counter(line[name] for line in known) for name in ("version", "share"))
    assert f"versions: version 3 {versions['3']:,}, version 4 {versions['4']:,}" in text
    wanted = ", ".join(f"{shares[share]:,} rows with a share of {share:g}" for share in SHARES)
    assert f"sampling: {wanted}; 7 requests dropped" in text
    assert "refused requests, which are in no row: too_large 1, wrong_type 5" in text
    # what stands for all that was answered: each logged row 1 / share, and a dropped one as much as they do on average
    weighted = sum(1 / line["share"] for line in lines)
    answered = weighted + 7 * weighted / REQUESTS
    assert f"answered    about {answered:,.0f} rows, in 1 new object of the log" in text
    assert f"logged      {REQUESTS:,} rows, 7 requests dropped by the log" in text
    assert "40 rows of other models left out" in text
    manifest = place.manifest(1)
    assert manifest["dropped"] == {"3": 7} and manifest["foreign"] == 40
    assert manifest["refused"] == {"3 too_large": 1, "3 wrong_type": 2, "4 wrong_type": 3}
    assert manifest["versions"] == dict(versions) and manifest["shares"] == {f"{k:g}": v for k, v in shares.items()}
    assert not manifest["final"]
