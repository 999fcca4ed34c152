"""A KFP server with nothing in it, which the environment names."""

from collections.abc import Iterator

import pytest

from tests.components.kfp.kfp_server import KfpServer, named_by_environment


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[KfpServer]:
    with named_by_environment(monkeypatch) as held:
        yield held
