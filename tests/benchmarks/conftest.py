"""A project with a champion, to be served."""

from tests.pipelines.conftest import champion, project, tiny_model  # noqa: F401 - fixtures
