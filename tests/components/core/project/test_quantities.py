"""Kubernetes quantities as numbers."""

import pytest

from components._core.project.quantities import Amounts, count_of


@pytest.mark.parametrize(
    ("written", "meant"), [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("1Ki", 1024), ("2Gi", 2 * 1024**3), ("3G", 3e9)]
)
def test_an_amount_is_read_as_kubernetes_reads_it(written: str, meant: float) -> None:
    assert count_of(written) == meant == count_of(Amounts(cpu="1", memory=written).memory)


@pytest.mark.parametrize("written", ["two", "1ki", "-1", "1 Gi", "Gi"])
def test_what_kubernetes_would_not_take_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="memory"):
        Amounts(cpu="1", memory=written)
