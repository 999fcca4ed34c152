"""The KFP component of deploy."""

from kfp import dsl

from components.stages import DEPLOY


@dsl.component(base_image=DEPLOY.base_image, install_kfp_package=False)
def deploy(
    project: str,
    run: str,
    cause: str,
    source: str,
    spans: str,
    trials: int,
    epochs: int,
    registration: dsl.Input[dsl.Artifact],
    rollout: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Serve the registered version, compare its answers with the offline ones, make it the champion, bind the report.

    Args:
        project: The project as JSON.
        run: Name of this run.
        cause: Why this run was started; may be empty.
        source: As ingest; for the record of the run.
        spans: As ingest.
        trials: As tune.
        epochs: As train.
        registration: From register; without a version nothing is deployed. Its bundle has the evaluation, whose sample rows
            are sent to the server and whose answers are compared with the served ones, and the pages of all stages.
        rollout: What was deployed and how it answered, the record of the run, and the page as data.
        report: The run's report: one self-contained page.
    """
    from pathlib import Path

    from components._core.stage.bundle import bundled
    from components._core.stage.lifecycle import stage
    from components.stages import DEPLOY

    with stage(DEPLOY, rollout, after=[registration]) as this:
        from components.deploy.deploy import deploy_version

        this.imported()
        registered = Path(registration.path)
        earlier = ("validation", "hyperparameters", "history", "evaluation", "explanation")
        outcome = deploy_version(
            this.project(project, data__source=source, data__spans=spans, tune__trials=trials, train__epochs=epochs),
            run=run,
            cause=cause,
            evaluation=bundled(registered, "evaluation"),
            history=bundled(registered, "history"),
            registration=registered,
            pages=[*(bundled(registered, name) for name in earlier), registered],
            stages=this.earlier(),
            rollout=this.folder(rollout),
            report=this.file(report),
        )
        this.done(outcome)
