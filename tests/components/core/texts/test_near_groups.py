from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from components._core.texts.code_points import read_texts
from components._core.texts.near_groups import NearGroups, similarity, sketch

WORDS = (
    "the train to the coast leaves at nine and nobody on board knew why it had waited so long under the bridge".split()
)


def some_texts(count: int, seed: int = 7, copies: float = 0.3) -> list[str]:
    """Make texts of random words; some are an earlier one with a word changed."""
    draw = random.Random(seed)
    texts: list[str] = []
    for number in range(count):
        if texts and draw.random() < copies:
            words = draw.choice(texts).split()
            words[draw.randrange(len(words))] = f"new{number}"
        else:
            words = [f"{draw.choice(WORDS)}{draw.randrange(60)}" for _ in range(draw.randrange(4, 30))]
        texts.append(" ".join(words))
    return texts


def shingles(text: str) -> set[str]:
    return {text[place : place + 5] for place in range(max(len(text) - 4, 1))}


def jaccard(one: str, other: str) -> float:
    return len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))


def brute_force(texts: list[str], bound: float) -> list[int]:
    """Compare every signature with all earlier ones; the group of a text is the number of its first one."""
    signatures = sketch(read_texts(texts)).signatures
    groups: list[int] = []
    for number, signature in enumerate(signatures):
        equal = np.mean(signatures[:number] == signature, axis=1)
        near = np.flatnonzero((equal - 1 / 256) / (1 - 1 / 256) >= bound)
        groups.append(groups[near[0]] if len(near) else number)
    return groups


def numbered(groups: list[str | None]) -> list[int]:
    firsts: dict[str | None, int] = {}
    return [firsts.setdefault(group, number) for number, group in enumerate(groups)]


@pytest.mark.parametrize("bound", [0.7, 0.85])
def test_groups_are_those_of_a_comparison_with_all_earlier_texts(bound):
    texts = some_texts(800)
    groups = numbered(NearGroups(bound).add(pa.array(texts)).to_pylist())
    expected = brute_force(texts, bound)

    assert 50 < len(texts) - len(set(expected)) < 400
    assert np.mean([one == other for one, other in zip(groups, expected, strict=True)]) > 0.995


def test_the_similarity_is_that_of_the_shingles():
    texts = some_texts(400, copies=0.9)
    signatures = sketch(read_texts(texts)).signatures
    pairs = [(one, other) for one in range(150) for other in range(one) if jaccard(texts[one], texts[other]) > 0.4]
    errors = [similarity(signatures[a], signatures[b]) - jaccard(texts[a], texts[b]) for a, b in pairs]

    assert len(pairs) > 50
    assert abs(np.mean(errors)) < 0.02
    assert np.sqrt(np.mean(np.square(errors))) < 0.06


def test_later_texts_do_not_change_the_groups_of_earlier_ones():
    texts = some_texts(12_000, seed=3)
    whole = NearGroups().add(pa.array(texts)).to_pylist()
    parted = NearGroups()
    parts = [
        group
        for start in range(0, 12_000, 977)
        for group in parted.add(pa.array(texts[start : start + 977])).to_pylist()
    ]

    assert parts == whole
    assert NearGroups().add(pa.array(texts[:5_000])).to_pylist() == whole[:5_000]


def test_case_blanks_and_punctuation_do_not_part_texts():
    groups = NearGroups().add(
        pa.array(
            [
                "Great  food, would come again!",
                "great food would come again",
                "서비스가 정말 좋았어요.",
                "서비스가 정말 좋았어요!!",
                "other",
            ]
        )
    )

    assert numbered(groups.to_pylist()) == [0, 0, 2, 2, 4]


def test_texts_without_letters_have_no_group():
    groups = NearGroups().add(pa.array(["", "!!!", None, "a", "12", "👍"])).to_pylist()

    assert [group is None for group in groups] == [True, True, True, False, False, False]
    assert len(set(groups[3:])) == 3


def test_memory_is_bounded_and_copies_take_none():
    groups = NearGroups(most=500)
    groups.add(pa.array(some_texts(1_000, copies=0.0)))
    same = NearGroups()
    same.add(pa.array(["the same words in every row"] * 2_000))

    assert groups.is_full and groups.remembered == 500
    assert same.remembered == 1 and not same.is_full
