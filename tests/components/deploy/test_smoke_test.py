"""What is found by asking, in numbers."""

from components.deploy.smoke_test import SmokeTestResult


def test_percentiles_are_of_the_single_requests() -> None:
    assert SmokeTestResult(milliseconds=[float(value) for value in range(101)]).percentiles() == {
        "p50": 50,
        "p95": 95,
        "p99": 99,
    }
