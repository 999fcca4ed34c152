"""The locks: exact pins with hashes and no address in them, and no named package slid back below its floor."""

import re
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {
    "legacy": {
        "kfp": "2.13",
        "kubernetes": "30.1",
        "tensorflow": "2.16",
        "tensorflow-transform": "1.16",
        "tensorflow-data-validation": "1.16.1",
        "minio": "7.2",
    },
    "modern": {
        "kfp": "2.17",
        "kubernetes": "30.1",
        "tensorflow": "2.21",
        "tensorflow-transform": "1.21",
        "tensorflow-data-validation": "1.21",
        "minio": "7.2",
    },
}


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("family", sorted(FLOORS))
def test_the_named_packages_are_at_or_above_their_floors(family: str) -> None:
    for lock in (f"{family}.txt", f"{family}-dev.txt"):
        pins = _pins(ROOT / "requirements" / lock)
        for name, floor in FLOORS[family].items():
            assert Version(pins[name]) >= Version(floor), f"{lock}: {name} {pins[name]} is below {floor}"


def test_seldon_core_is_never_in_the_environment_of_the_stages() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "seldon-core" not in _pins(lock)


def test_every_pin_is_exact_and_hashed_and_no_address_is_named() -> None:
    locks = [lock for lock in (ROOT / "requirements").glob("*.txt") if "--hash=" in lock.read_text()]
    assert {"legacy.txt", "modern.txt", "legacy-dev.txt", "modern-dev.txt"} <= {lock.name for lock in locks}
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text, lock.name
        for name in _pins(lock):
            block = re.search(rf"^{re.escape(name)}==.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
            assert block is not None
            assert "--hash=sha256:" in block[0], f"{lock.name}: {name}"
