import threading
from pathlib import Path

from components._core.ledger import Deployment, append_deployment, current_champion, read_deployments


def deployment(version: str) -> Deployment:
    return Deployment(
        version, f"models/{version}", "s", "x", {"auc": 0.9}, "f", "r", "2013-01-01T00:00:00Z", "test", "because"
    )


def test_there_is_no_champion_before_the_first_deployment(tmp_path: Path) -> None:
    assert current_champion(str(tmp_path), "p") is None


def test_the_last_deployment_is_the_champion(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        append_deployment(str(tmp_path), "p", deployment(version))
    champion = current_champion(str(tmp_path), "p")
    assert champion == deployment("3")
    assert [line.version for line in read_deployments(str(tmp_path), "p")] == ["1", "2", "3"]
    assert current_champion(str(tmp_path), "other") is None


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=append_deployment, args=(str(tmp_path), "p", deployment(str(number))))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(line.version) for line in read_deployments(str(tmp_path), "p")) == list(range(16))
    assert not list((tmp_path / "p" / "deployments").glob(".*"))
