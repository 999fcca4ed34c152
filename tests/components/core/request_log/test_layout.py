from datetime import UTC, datetime

from components._core.request_log.layout import hour_folder, hour_folders

NIGHT = datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC).timestamp()


def test_a_line_lies_in_the_folder_of_its_hour_in_utc() -> None:
    assert hour_folder(NIGHT) == "dt=2026-11-29/hour=23"


def test_the_hours_between_two_moments_are_those_that_both_lie_in_and_all_between() -> None:
    found = list(hour_folders(NIGHT, NIGHT + 3_602))
    assert found == ["dt=2026-11-29/hour=23", "dt=2026-11-30/hour=00", "dt=2026-11-30/hour=01"]
    assert list(hour_folders(NIGHT, NIGHT)) == [hour_folder(NIGHT)]
