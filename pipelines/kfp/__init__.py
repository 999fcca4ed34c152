"""Apply the projects in git to a KFP server (pipelines, versions, schedules); start, follow and explain runs."""
