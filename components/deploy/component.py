"""The KFP component of deploy."""

from kfp import dsl

from components.stages import DEPLOY


@dsl.component(base_image=DEPLOY.base_image, install_kfp_package=False)
def deploy(
    project: str,
    run: str,
    cause: str,
    examples: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    transform_graph: dsl.Input[dsl.Artifact],
    hyperparameters: dsl.Input[dsl.Artifact],
    history: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    explanation: dsl.Input[dsl.Artifact],
    registration: dsl.Input[dsl.Artifact],
    rollout: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Serve the registered version, compare its answers with the offline ones, make it the champion, bind the report.

    Args:
        project: The project as JSON.
        run: Name of this run.
        cause: Why this run was started; may be empty.
        examples: From ingest; the report states what was read.
        validation: From validate.
        transform_graph: From transform.
        hyperparameters: From tune.
        history: From train.
        evaluation: From evaluate; its sample rows are sent to the server, and its answers compared with the served ones.
        explanation: From explain.
        registration: From register; without a version nothing is deployed.
        rollout: What was deployed and how it answered, and the page as data.
        report: The run's report: one self-contained page.
    """
    from pathlib import Path

    from components._core.stage.lifecycle import stage
    from components.stages import DEPLOY

    with stage(DEPLOY, rollout) as this:
        from components.deploy.deploy import deploy_version

        this.imported()
        artifacts = [
            examples,
            validation,
            transform_graph,
            hyperparameters,
            history,
            evaluation,
            explanation,
            registration,
        ]
        outcome = deploy_version(
            this.project(project),
            run=run,
            cause=cause,
            examples=Path(examples.path),
            evaluation=Path(evaluation.path),
            registration=Path(registration.path),
            pages=[
                Path(part.path)
                for part in (validation, hyperparameters, history, evaluation, explanation, registration)
            ],
            stages=[dict(part.metadata) for part in artifacts],
            rollout=this.folder(rollout),
            report=this.file(report),
        )
        this.done(outcome)
