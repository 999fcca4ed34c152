"""Watch: decide whether a project's triggers start a training run, and keep a record of every decision."""
