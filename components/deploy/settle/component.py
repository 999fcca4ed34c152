"""The KFP component of settle."""

from kfp import dsl

from components.stages import SETTLE


@dsl.component(base_image=SETTLE.base_image, install_kfp_package=False)
def settle(
    project: str,
    settlement: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Judge the live test of a project where it is time, and serve what came of it on the cluster that this runs on.

    Args:
        project: The project as JSON.
        settlement: The outcome, what was found and done, and the page as data.
        page: How far the test is or what came of it, and the newest tests.
    """
    from components._core.stage.lifecycle import stage
    from components.stages import SETTLE

    with stage(SETTLE, settlement) as this:
        from components.deploy.settle.settle import settle_project

        this.imported()
        this.done(settle_project(this.project(project), settlement=this.folder(settlement), page=this.file(page)))
