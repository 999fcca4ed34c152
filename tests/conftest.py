"""For all tests: what they, and the processes that they start, leave in the temporary folder goes with the session."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from components._registry import mlflow_client


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A temporary folder of the session's own: TensorFlow and Beam leave files there, also when a test ends well."""
    folder = tmp_path_factory.mktemp("t")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow's fifty migrations run once in this process, for a second; each further database is a copy of the first."""
    first, migrate = tmp_path_factory.mktemp("mlflow") / "mlflow.db", mlflow_client._migrate

    def copy(path: Path) -> None:
        if not first.exists():
            migrate(first)
        shutil.copyfile(first, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_client, "_migrate", copy)
        yield
