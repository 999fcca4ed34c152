"""What the server's cron (robfig/cron 1.2) reads as written, and what it refuses or misreads (docs/decisions/0010)."""

import pytest

from components._core.project.cron import check_cron, check_timezone

READ_AS_WRITTEN = """
0 30 3 * * *|0 0 3 * * 0|0 0 3 * * sun|0 0 3 * * MON-fri|0 0 3 * * 1-5,0|0 0 3 * jan *|0 0 3 1 */2 *|0 0 3 29 2 *
0 0 3 30 2 mon|0 0/20 * * * *|0 5-50/15 * * * *|0 1,2,3 * * * *|0 */90 * * * *|0 0 3 ? * mon|? ? ? * * ?|0  0 3 * * *
"""
REFUSED_OR_MISREAD = """
|30 3 * * *|*/20 * * * *|0 0 3 * * * 2027|0 0 3 * * 7|0 0 3 * * 5-7|0 0 3 30 2 *|0 0 3 31 2,4 *|0 0 3 L * *|0 0 3 LW * *
0 0 3 15W * *|0 0 3 * * mon#2|0 0 3 * * L5|0 0 22-2 * * *|0 0 3 * * fri-mon|0 */0 * * * *|0 60 * * * *|0 0 24 * * *
0 0 3 0 * *|0 5- * * * *|0 -5 * * * *|0 0 3 * * *-5|0 \u0663 * * * *|H H * * * *|R R * * * *
"""


def _each(text: str) -> list[str]:
    return [expression for line in text.strip().splitlines() for expression in line.split("|")]


@pytest.mark.parametrize("expression", _each(READ_AS_WRITTEN))
def test_an_expression_that_kfp_reads_as_written_is_taken(expression: str) -> None:
    assert check_cron(expression) == " ".join(expression.split())


@pytest.mark.parametrize("expression", _each(REFUSED_OR_MISREAD))
def test_an_expression_that_kfp_refuses_or_misreads_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="found"):
        check_cron(expression)


def test_five_fields_are_answered_with_the_six_that_were_meant() -> None:
    with pytest.raises(ValueError, match=r"write '0 30 3 \* \* \*'"):
        check_cron("30 3 * * *")


def test_a_time_zone_is_one_of_the_list() -> None:
    assert check_timezone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(ValueError, match="Europe/Berlin"):
        check_timezone("Europe/Berlim")
