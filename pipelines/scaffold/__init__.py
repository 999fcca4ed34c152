"""`naru new`: analyze a table and generate a project that runs as it is."""

from pipelines.scaffold.create_project import Created, new_project

__all__ = ["Created", "new_project"]
