"""The findings of validate about texts: precision and recall on faults that were put in, false alarms where there are none.

    python -m benchmarks.texts.faults --texts 600 --resamples 10

For each clean set (`made.py`) and each kind of fault, some texts are drawn without replacement and 5 % with the fault are added, made from
others of the set. A text counts as found if the finding of that kind names it; precision is over all texts that it names. Clean
draws of the same size must have no finding at all. Bounds are broken below `LEAST`, or with a false alarm.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.texts.made import CLEAN
from benchmarks.texts.measured_examples import SPLITS, Sample, check, in_splits, numbers_of, write_examples

LEAST = {"precision": 0.95, "recall": 0.9}
"""Bounds for each kind in each set."""
_SHARE = 0.05
_SEED = 16
_OTHER = {
    "de": "Die Lieferung kam leider zwei Tage zu spät, aber das Gerät ist gut und nicht zu laut für die Küche.",
    "fr": "La livraison est arrivée avec deux jours de retard, mais le produit est très bien et pas trop bruyant.",
    "es": "El pedido llegó con dos días de retraso, pero el producto es muy bueno y no hace mucho ruido en la cocina.",
    "ja": "配送は二日遅れましたが、商品はとても気に入りました。台所でも音が気になりません。",
    "zh": "物流晚了两天，不过商品质量很好，在厨房里也不觉得吵，下次还会再买。",
    "ru": "Доставка опоздала на два дня, но товар хороший и не слишком шумный для маленькой кухни.",
    "en": "The parcel came two days late, but the product is good and not too loud for a small kitchen.",
    "ko": "배송이 이틀이나 늦었지만 제품은 좋고 작은 부엌에서도 그다지 시끄럽지 않습니다.",
}

Random = random.Random
Make = Callable[[str, Random, str], str | None]


def _empty(text: str, draw: Random, kind: str) -> str | None:
    return draw.choice([None, "", "   ", "\n\t"])


def _long(text: str, draw: Random, kind: str) -> str:
    return " ".join([text] * draw.randrange(60, 90))[:90_000]


def _other_language(text: str, draw: Random, kind: str) -> str:
    own = "ko" if kind == "korean" else "en"
    sentence = _OTHER[draw.choice([name for name in _OTHER if name != own])]
    return f"{sentence} {draw.randrange(100)}"


def _damaged(text: str, draw: Random, kind: str) -> str:
    if kind != "korean":
        text = draw.choice(["It’s true: ", "Café – ", "“Quoted” ", "Über "]) + text
        return text.encode("utf-8").decode(draw.choice(["latin-1", "cp1252"]), "replace")
    raw = text.encode("utf-8")
    return draw.choice(
        [
            raw.decode("latin-1"),
            raw.decode("cp1252", "ignore"),
            raw.decode("cp949", "ignore"),
            text.encode("cp949").decode("latin-1"),
            text.encode("ascii", "replace").decode(),
            text.encode("ascii", "backslashreplace").decode(),
            raw[:20].decode("utf-8", "ignore") + "\ufffd\ufffd" + text[10:],
        ]
    )


def _markup(text: str, draw: Random, kind: str) -> str:
    middle = text.find(" ", len(text) // 2)
    return draw.choice(
        [
            f"<p>{text}</p>",
            f"{text[:middle]}<br />{text[middle:]}",
            f"{text[:middle]}&nbsp;{text[middle:]}",
            f"&quot;{text}&quot;",
            f'<a href="https://example.com/{draw.randrange(99)}">{text[:20]}</a>{text[20:]}',
            f"[b]{text}[/b]",
            f"{text} &#39;",
        ]
    )


def _copy(text: str, draw: Random, kind: str) -> str:
    return text


def _near(text: str, draw: Random, kind: str) -> str:
    words = text.split()
    place = draw.randrange(len(words))
    return draw.choice(
        [
            text.upper() if kind != "korean" else text.replace(".", "!"),
            " ".join([*words[:place], "well" if kind != "korean" else "잘", *words[place + 1 :]]),
            f"{text} {draw.randrange(10)}",
            text.replace(" ", "  ") + " :-)",
        ]
    )


def _personal(text: str, draw: Random, kind: str) -> str:
    digits = "".join(str(draw.randrange(10)) for _ in range(8))
    card = "4" + "".join(str(draw.randrange(10)) for _ in range(14))
    total = sum(
        value - 9 if value > 9 else value
        for value in (int(digit) * (2 if n % 2 == 0 else 1) for n, digit in enumerate(card))
    )
    born = f"{draw.randrange(50, 99):02}{draw.randrange(1, 13):02}{draw.randrange(1, 29):02}{draw.randrange(1, 3)}{digits[:5]}"
    check_digit = (11 - sum(int(digit) * (2 + n % 8) for n, digit in enumerate(born)) % 11) % 10
    found = draw.choice(
        [
            f"user{digits}@mail.example.com",
            f"010-{digits[:4]}-{digits[4:]}",
            f"+82 10 {digits[:4]} {digits[4:]}",
            f"(212) 555-{digits[:4]}",
            f"+49 30 {digits}",
            f"{card}{-total % 10}",
            f"{born[:6]}-{born[6:]}{check_digit}",
        ]
    )
    place = text.find(" ", draw.randrange(len(text) // 2))
    return f"{text[:place]} {found} {text[place:]}"


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        kind: Kind of finding.
        make: Makes a text with the fault from a clean one; the name of the set is given.
        is_copy: Whether the text that it is made from stays in the data, and where it is in the other split.
        flips_label: Whether the label is another one than that of the text it is made from; both have the fault.
    """

    kind: str
    make: Make
    is_copy: bool = False
    flips_label: bool = False


FAULTS = [
    Fault("empty_texts", _empty),
    Fault("long_texts", _long),
    Fault("texts_of_another_language", _other_language),
    Fault("damaged_texts", _damaged),
    Fault("texts_with_markup", _markup),
    Fault("duplicate_texts", _copy, is_copy=True),
    Fault("near_duplicate_texts", _near, is_copy=True),
    Fault("texts_in_two_splits", _near, is_copy=True),
    Fault("texts_with_two_labels", _copy, is_copy=True, flips_label=True),
    Fault("personal_data", _personal),
]


def measure_fault(fault: Fault, name: str, count: int, seed: int = _SEED) -> dict[str, Any]:
    """Put a fault into texts of a clean set, and return how many of them are found and whether the check says so."""
    draw = random.Random(seed)
    wrong = max(round(_SHARE * count), 5)
    texts = CLEAN[name](count + wrong, seed)
    samples = in_splits(texts[:count], seed)
    truth: set[int] = set()
    for number in range(wrong):
        base = samples[number] if fault.is_copy else Sample(texts[count + number], "a", "train")
        made = Sample(fault.make(str(base.text), draw, name), base.label, in_splits([""], seed + number)[0].split)
        if fault.flips_label:
            made = replace(made, label="b" if base.label == "a" else "a")
        if fault.kind == "texts_in_two_splits":
            made = replace(made, split="test" if base.split == "train" else "train")
            truth.add(len(samples) if made.split == "test" else number)
        elif fault.flips_label:
            truth |= {number, len(samples)}
        elif fault.is_copy and SPLITS.index(made.split) < SPLITS.index(base.split):
            truth.add(number)  # splits are read in their order, so that it is the later one
        else:
            truth.add(len(samples))
        samples.append(made)
    with tempfile.TemporaryDirectory() as scratch:
        examples = write_examples(samples, Path(scratch))
        found = check(examples)
        named = numbers_of(found, fault.kind, examples)
    title = f"{fault.kind.replace('_', ' ')}: text"
    status = next(each.status for each in found.checks if each.name == title)
    others = sorted(each.name for each in found.checks if each.status == "warn" and each.name != title)
    return {
        "precision": round(len(named & truth) / len(named), 3) if named else 0.0,
        "recall": round(len(named & truth) / len(truth), 3),
        "warned": status == "warn",
        "others": others,
    }


def measure_unseen_words(name: str, count: int, seed: int = _SEED) -> dict[str, Any]:
    """Replace a third of the texts of eval and test by those of another set, and return whether the check says so."""
    other = "documentation" if name == "english" else "english"
    samples = in_splits(CLEAN[name](count, seed), seed)
    foreign = CLEAN[other](count, seed)
    changed = [
        replace(sample, text=foreign[number]) if sample.split != "train" and number % 3 == 0 else sample
        for number, sample in enumerate(samples)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        found = check(write_examples(changed, Path(scratch)))
    words = next(each for each in found.checks if each.name == "unseen words: text")
    return {"warned": words.status == "warn", "unseen": words.measured, "bound": words.threshold}


def false_alarms(name: str, count: int, draws: int) -> list[str]:
    """Return the findings on clean draws."""
    alarms: list[str] = []
    for draw in range(draws):
        with tempfile.TemporaryDirectory() as scratch:
            found = check(write_examples(in_splits(CLEAN[name](count, 1_000 + draw), draw), Path(scratch)))
        alarms += [f"{each.name}: {each.reason}" for each in found.checks if each.status == "warn"]
    return alarms


def measure_all(count: int, draws: int, names: Sequence[str] = tuple(CLEAN)) -> dict[str, Any]:
    """Measure every fault in every set, and print a line for each."""
    result: dict[str, Any] = {}
    for name in names:
        of_set: dict[str, Any] = {}
        for fault in FAULTS:
            of_set[fault.kind] = measure_fault(fault, name, count)
            print(f"{name:>13}  {fault.kind:<26} {of_set[fault.kind]}", flush=True)
        of_set["unseen_words"] = measure_unseen_words(name, count)
        print(f"{name:>13}  unseen_words               {of_set['unseen_words']}", flush=True)
        alarms = false_alarms(name, count, draws)
        print(f"{name:>13}  {len(alarms)} false alarms on {draws} clean draws of {count} texts: {alarms}", flush=True)
        result[name] = {"faults": of_set, "clean_draws": draws, "false_alarms": alarms}
    return result
