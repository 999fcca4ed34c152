"""Statistics of agreement: published examples, definitions computed pair by pair, and what gaps, one value and one annotator give."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from components._labels.agreement import (
    Level,
    measure_alpha,
    measure_cohen,
    measure_fleiss,
    measure_percent,
)
from components._labels.disagreement import compare_annotators, find_confused
from components._labels.votes import Votes, collect_votes

KRIPPENDORFF_C = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""Krippendorff, Computing Krippendorff's alpha-reliability (2011), C: four observers, twelve units."""
FLEISS = (
    *("444444", "222555", "233335", "555555", "222444", "113333", "333355", "113334", "114444", "555555"),
    *("144444", "124444", "222333", "144444", "224445", "333335", "111455", "111112", "224444", "133555"),
    *("555555", "244444", "224555", "114444", "144445", "222224", "111155", "224444", "133333", "555555"),
)
"""Fleiss (1971), table 1: thirty patients, each with six diagnoses of five categories."""
COHEN = [[88, 10, 2], [14, 40, 6], [18, 10, 12]]
"""Cohen (1960): two judges, two hundred subjects, three categories."""


def _votes(observers: tuple[str, ...], classes: str) -> Votes:
    units = zip(*(line.split() for line in observers), strict=True)
    given = [{f"o{place}": value for place, value in enumerate(unit) if value != "."} for unit in units]
    return collect_votes(given, classes.split())


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_has_the_values_of_krippendorffs_example_with_gaps(level: Level, alpha: float) -> None:
    votes = _votes(KRIPPENDORFF_C, "1 2 3 4 5")

    assert measure_alpha(votes, level).value == pytest.approx(alpha, abs=5e-4)


@pytest.mark.parametrize(
    ("observers", "classes", "alpha"),
    [
        (("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), "0 1", 0.095),
        (("a a b b d c c c e d d a", "b a b b b c c c e d d d"), "a b c d e", 0.692),
    ],
)
def test_alpha_has_the_values_of_krippendorffs_examples_of_two(
    observers: tuple[str, ...], classes: str, alpha: float
) -> None:
    assert measure_alpha(_votes(observers, classes), "nominal").value == pytest.approx(alpha, abs=5e-4)


def test_fleiss_kappa_has_the_value_of_the_article() -> None:
    votes = collect_votes([{f"r{place}": value for place, value in enumerate(unit)} for unit in FLEISS], "12345")

    assert measure_fleiss(votes).value == pytest.approx(
        0.4302445, abs=1e-7
    )  # 0.430 in the article; R's irr gives the digits


def test_cohens_kappa_has_the_value_of_the_article() -> None:
    pairs = [
        {"a": str(row), "b": str(column)} for row in range(3) for column in range(3) for _ in range(COHEN[row][column])
    ]

    found = measure_cohen(collect_votes(pairs, "012"))

    assert found["a", "b"].value == pytest.approx((0.70 - 0.41) / (1 - 0.41))
    assert measure_percent(collect_votes(pairs, "012")).value == pytest.approx(0.70)


def _random_votes(seed: int, gaps: float, classes: str = "abcd") -> Votes:
    """Annotators of different care: some repeat the truth, some guess."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, len(classes), 60)
    given = []
    for value in truth:
        votes = {}
        for name, care in (("ann", 0.9), ("bob", 0.6), ("cy", 0.3), ("dee", 0.8)):
            if generator.random() >= gaps:
                votes[name] = classes[value if generator.random() < care else generator.integers(len(classes))]
        given.append(votes)
    return collect_votes(given, classes)


def _distance(one: int, other: int, totals: dict[int, float], level: Level) -> float:
    if level == "nominal":
        return float(one != other)
    if level == "interval":
        return float((one - other) ** 2)
    low, high = sorted((one, other))
    return (
        sum(totals.get(value, 0) for value in range(low, high + 1)) - (totals.get(one, 0) + totals.get(other, 0)) / 2
    ) ** 2


def _alpha_by_definition(votes: Votes, level: Level) -> float:
    """Krippendorff's coincidence matrix, filled pair by pair."""
    coincidences: dict[tuple[int, int], float] = {}
    for unit in votes.codes:
        values = [int(code) for code in unit if code >= 0]
        for one, other in permutations(values, 2):
            coincidences[one, other] = coincidences.get((one, other), 0) + 1 / (len(values) - 1)
    totals: dict[int, float] = {}
    for (one, _), count in coincidences.items():
        totals[one] = totals.get(one, 0) + count
    number = sum(totals.values())
    observed = sum(count * _distance(*pair, totals, level) for pair, count in coincidences.items())
    expected = sum(
        totals[one] * totals[other] * _distance(one, other, totals, level) for one in totals for other in totals
    )
    return 1 - (number - 1) * observed / expected


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_alpha_is_that_of_its_definition(level: Level, gaps: float) -> None:
    for seed in range(3):
        votes = _random_votes(seed, gaps)

        assert measure_alpha(votes, level).value == pytest.approx(_alpha_by_definition(votes, level))


def test_cohens_kappa_is_scikit_learns_on_the_items_that_both_have_seen() -> None:
    votes = _random_votes(7, 0.3)

    for (one, other), estimate in measure_cohen(votes).items():
        pair = votes.codes[:, [votes.annotators.index(one), votes.annotators.index(other)]]
        shared = pair[(pair >= 0).all(axis=1)]

        assert estimate.items == len(shared)
        assert estimate.value == pytest.approx(cohen_kappa_score(shared[:, 0], shared[:, 1]))


def test_percent_agreement_is_the_mean_share_of_equal_pairs_of_each_item() -> None:
    votes = _random_votes(3, 0.3)
    shares = []
    for unit in votes.codes:
        values = [code for code in unit if code >= 0]
        pairs = list(permutations(values, 2))
        shares += [sum(one == other for one, other in pairs) / len(pairs)] if pairs else []

    assert measure_percent(votes).value == pytest.approx(np.mean(shares))
    assert measure_percent(votes).items == len(shares)


def test_numbers_agree_by_their_differences() -> None:
    given = [{"ann": "1.5", "bob": "1.5"}, {"ann": "2", "bob": "3"}, {"ann": "10"}, {"ann": "4", "bob": "4.25"}]
    votes = collect_votes(given)
    values = [1.5, 1.5, 2.0, 3.0, 4.0, 4.25]
    observed = (2 * (1.0**2) + 2 * 0.25**2) / 6
    expected = sum((one - other) ** 2 for one, other in permutations(values, 2)) / (6 * 5)

    assert votes.is_numeric
    assert measure_alpha(votes, "interval").value == pytest.approx(1 - observed / expected)


def test_large_numbers_close_to_each_other_keep_their_digits() -> None:
    shifted = [{"ann": f"{1e9 + one}", "bob": f"{1e9 + other}"} for one, other in ((1, 1), (2, 3), (4, 4), (5, 4))]
    plain = [{"ann": f"{one}", "bob": f"{other}"} for one, other in ((1, 1), (2, 3), (4, 4), (5, 4))]

    assert measure_alpha(collect_votes(shifted), "interval").value == pytest.approx(
        measure_alpha(collect_votes(plain), "interval").value
    )


def test_the_interval_has_the_truth_in_about_95_of_100_samples() -> None:
    """The truth is alpha of ten thousand items of the same annotators; each sample has eighty of these."""
    generator = np.random.default_rng(11)
    truth = generator.integers(0, 3, 10_000)
    codes = np.stack(
        [np.where(generator.random(10_000) < 0.7, truth, generator.integers(0, 3, 10_000)) for _ in "ab"], 1
    )
    many = Votes(("x", "y", "z"), ("a", "b"), codes.astype(np.int32), np.array([]))
    target = measure_alpha(many, "nominal").value
    samples = (
        Votes(many.values, many.annotators, many.codes[start : start + 80], many.points)
        for start in range(0, 4_000, 80)
    )
    estimates = [measure_alpha(sample, "nominal") for sample in samples]
    covered = sum(estimate.low <= target <= estimate.high for estimate in estimates)

    assert 43 <= covered <= 50  # of 50; 47.5 are expected, and a standard error is 1.5


def test_an_interval_is_the_same_in_every_process() -> None:
    assert measure_alpha(_random_votes(1, 0.2), "nominal") == measure_alpha(_random_votes(1, 0.2), "nominal")


@pytest.mark.parametrize("given", [[{"ann": "a", "bob": "a"}] * 5, [{"ann": "a"}, {"bob": "b"}], []])
def test_one_value_or_one_annotator_for_each_item_give_no_number(given: list[dict[str, str]]) -> None:
    votes = collect_votes(given, "ab")

    assert measure_alpha(votes, "nominal").value is None
    assert measure_fleiss(votes).value is None
    assert all(estimate.value is None for estimate in measure_cohen(votes).values())


def test_confused_pairs_are_counted_among_the_pairs_that_have_one_of_the_two() -> None:
    given = [
        {"ann": "cat", "bob": "dog", "cy": "cat"},
        {"ann": "cat", "bob": "cat"},
        {"ann": "dog", "bob": "fox"},
        {"cy": "dog"},
    ]

    found = find_confused(collect_votes(given, ["cat", "dog", "fox"]))

    assert [(pair.one, pair.other, pair.pairs) for pair in found] == [("cat", "dog", 2), ("dog", "fox", 1)]
    assert found[0].share == pytest.approx(2 / 5)  # cat-dog, cat-dog, cat-cat, cat-cat, dog-fox
    assert found[1].share == pytest.approx(1 / 3)


def test_an_annotator_is_compared_with_the_majority_of_the_others() -> None:
    given = [
        {"ann": "a", "bob": "a", "cy": "b"},
        {"ann": "a", "bob": "b", "cy": "b"},
        {"ann": "b", "bob": "b", "cy": "b"},
        {"ann": "a"},
    ]

    ann, _, cy = compare_annotators(collect_votes(given, "ab"))

    assert (ann.annotations, ann.compared, ann.agreed) == (4, 2, 1)  # on the first item the others are divided
    assert ann.most_confused == ("a", "b")
    assert (cy.compared, cy.agreed) == (2, 1)
    assert ann.share == pytest.approx(0.5)


def test_an_annotator_of_numbers_is_compared_with_the_mean_of_the_others() -> None:
    given = [{"ann": "3", "bob": "1", "cy": "2"}, {"ann": "2", "bob": "2"}, {"ann": "9"}]

    ann, bob, _ = compare_annotators(collect_votes(given))

    assert (ann.compared, ann.agreed) == (2, 1)
    assert ann.off_by == pytest.approx((1.5 + 0) / 2)
    assert bob.off_by == pytest.approx((1 - 2.5) / 2)


def test_a_value_outside_the_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="'z' is not a value of the scale"):
        collect_votes([{"ann": "z"}], "ab")
