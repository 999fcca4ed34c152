"""The KFP component of register."""

from kfp import dsl

from components.stages import REGISTER


@dsl.component(base_image=REGISTER.base_image, install_kfp_package=False)
def register(
    project: str,
    run: str,
    fingerprint: str,
    code_fingerprint: str,
    code_uri: str,
    examples: dsl.Input[dsl.Dataset],
    statistics: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    hyperparameters: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    explanation: dsl.Input[dsl.Artifact],
    registration: dsl.Output[dsl.Artifact],
) -> None:
    """Make the model a version in the MLflow registry, as challenger, with everything needed to reproduce it.

    Args:
        project: The project as JSON.
        run: Name of this run.
        fingerprint: Fingerprint of the examples.
        code_fingerprint: Fingerprint of the project's code.
        code_uri: URI of the project's code archive.
        examples: From ingest.
        statistics: From validate.
        schema: From validate.
        hyperparameters: From tune.
        model: From train.
        evaluation: From evaluate; a model that it blocked is not registered.
        explanation: From explain; a model that it blocked is not registered.
        registration: The version, the URIs of its parts, and the page as data.
    """
    from pathlib import Path

    from components._core.stage.lifecycle import stage
    from components.stages import REGISTER

    with stage(REGISTER, registration) as this:
        from components.register.register import register_model

        this.imported()
        outcome = register_model(
            this.project(project),
            run=run,
            fingerprint=fingerprint,
            code_fingerprint=code_fingerprint,
            code=this.fetch_code(code_uri, code_fingerprint),
            examples=Path(examples.path),
            statistics=Path(statistics.path),
            schema=Path(schema.path),
            hyperparameters=Path(hyperparameters.path),
            model=Path(model.path),
            evaluation=Path(evaluation.path),
            explanation=Path(explanation.path),
            registration=this.folder(registration),
        )
        this.done(outcome)
