"""The KFP component of feedback."""

from kfp import dsl

from components.stages import FEEDBACK


@dsl.component(base_image=FEEDBACK.base_image, install_kfp_package=False)
def feedback(
    project: str,
    joined: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Join the request log with labels that came later, and write the next span of examples when enough rows have one.

    Args:
        project: The project as JSON.
        joined: The outcome, and the page as data.
        page: What was answered, logged, labelled and joined, and the five biases of the labelled rows.
    """
    from components._core.stage.lifecycle import stage
    from components.stages import FEEDBACK

    with stage(FEEDBACK, joined) as this:
        from components.feedback.join_labels import join_labels

        this.imported()
        this.done(join_labels(this.project(project), joined=this.folder(joined), page=this.file(page)))
