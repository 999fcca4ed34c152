"""The KFP component of watch."""

from kfp import dsl

from components.stages import WATCH


@dsl.component(base_image=WATCH.base_image, install_kfp_package=False)
def watch(
    project: str,
    training: str,
    code_commit: str,
    decisions: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Record how earlier runs ended, decide, and start at most one training run on the server that this runs on.

    Args:
        project: The project as JSON, with its triggers.
        training: Pipeline and version that its runs are of, as in `flights-training/0123456789ab`.
        code_commit: Git commit of the code, for the records of the runs; may be empty.
        decisions: The outcome, and the page as data.
        page: The newest decisions, with their reasons.
    """
    from components._core.stage.lifecycle import stage
    from components.stages import WATCH

    with stage(WATCH, decisions) as this:
        from components.watch.watch import watch_project

        this.imported()
        outcome = watch_project(
            this.project(project),
            training=training,
            commit=code_commit,
            decisions=this.folder(decisions),
            page=this.file(page),
        )
        this.done(outcome)
