"""The KFP component of register."""

from kfp import dsl

from components.stages import REGISTER


@dsl.component(base_image=REGISTER.base_image, install_kfp_package=False)
def register(
    project: str,
    run: str,
    code_fingerprint: str,
    code_uri: str,
    code_commit: str,
    statistics: dsl.Input[dsl.Artifact],
    validation: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    explanation: dsl.Input[dsl.Artifact],
    registration: dsl.Output[dsl.Artifact],
) -> None:
    """Make the model a version in the MLflow registry, as challenger, with everything needed to reproduce it.

    Args:
        project: The project as JSON.
        run: Name of this run.
        code_fingerprint: Fingerprint of the project's code.
        code_uri: URI of the project's code archive.
        code_commit: The code's git commit, `+dirty` with changes on top; may be empty.
        statistics: From validate.
        validation: From validate; bundled for the report.
        model: From train.
        evaluation: From evaluate, with the variant of the model that is served in its place, if there is one.
        explanation: From explain, with the hyperparameters and the schema in its bundle; a model that
            evaluate or explain blocked is not registered.
        registration: The version, the URIs of its parts, and the page as data.
    """
    from pathlib import Path

    from components._core.stage.bundle import bundled
    from components._core.stage.lifecycle import stage
    from components.stages import REGISTER

    with stage(REGISTER, registration, bundle={"validation": validation, "explanation": explanation}) as this:
        from components.register.register import register_model

        this.imported()
        outcome = register_model(
            this.project(project),
            run=run,
            code_fingerprint=code_fingerprint,
            code_commit=code_commit,
            code=this.fetch_code(code_uri, code_fingerprint),
            statistics=Path(statistics.path),
            schema=bundled(Path(explanation.path), "schema"),
            hyperparameters=bundled(Path(explanation.path), "hyperparameters"),
            model=Path(model.path),
            evaluation=Path(evaluation.path),
            explanation=Path(explanation.path),
            registration=this.folder(registration),
        )
        this.done(outcome)
