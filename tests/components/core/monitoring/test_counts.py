from __future__ import annotations

import json

import numpy as np

from components._core.monitoring.counts import Counts, count_latency, latency_quantile, total


def some(seed: int) -> Counts:
    random = np.random.default_rng(seed)
    return Counts(
        rows=int(random.integers(1, 9)),
        requests=2,
        represented=2.5,
        cells={"a": random.integers(0, 9, 4), f"only{seed}": random.integers(0, 9, 2)},
        outputs={"p": random.integers(0, 9, 3)},
        latency=random.integers(0, 9, 100),
        masked={"m": seed},
        errors={"400": seed},
        dropped=seed,
    )


def test_sums_do_not_depend_on_their_order_and_change_no_part():
    one, two, three = some(1), some(2), some(3)
    before = one.to_json()
    assert total([one, two, three]).to_json() == total([total([three, one]), two]).to_json()
    assert one.to_json() == before


def test_counts_survive_their_json():
    assert Counts.from_json(json.loads(json.dumps(some(4).to_json()))).to_json() == some(4).to_json()


def test_a_quantile_of_the_latency_is_right_to_its_bin():
    milliseconds = np.random.default_rng(0).lognormal(2, 1, 10_000)
    for share in (0.5, 0.95, 0.99):
        exact = np.quantile(milliseconds, share)
        assert exact <= latency_quantile(count_latency(milliseconds), share) * 1.001
        assert latency_quantile(count_latency(milliseconds), share) <= exact * 1.17
    assert latency_quantile(count_latency(np.array([np.nan])), 0.5) is None
    assert count_latency(np.array([0.0, 1e9])).sum() == 2
