"""A project with a champion, to be served."""

from tests.pipelines.conftest import champion, project  # noqa: F401 - fixtures
