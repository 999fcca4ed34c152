"""The KFP component of tune."""

from kfp import dsl

from components.stages import TUNE


@dsl.component(base_image=TUNE.base_image, install_kfp_package=False)
def tune(
    project: str,
    trials: int,
    code_fingerprint: str,
    code_uri: str,
    transform_graph: dsl.Input[dsl.Artifact],
    transformed: dsl.Input[dsl.Dataset],
    hyperparameters: dsl.Output[dsl.Artifact],
) -> None:
    """Search for the hyperparameters with the lowest eval loss; with no trials, use the project's defaults.

    Args:
        project: The project as JSON.
        trials: Number of models to try; -1: the project's.
        code_fingerprint: Fingerprint of the project's code.
        code_uri: URI of the project's code archive.
        transform_graph: Output of transform.
        transformed: Output of transform.
        hyperparameters: The chosen values, every trial, and the page as data.
    """
    from pathlib import Path

    from components._core.stage.lifecycle import stage
    from components.stages import TUNE

    with stage(TUNE, hyperparameters, after=[transform_graph]) as this:
        from components.tune.tune import tune_hyperparameters

        this.imported()
        outcome = tune_hyperparameters(
            this.project(project, tune__trials=trials),
            code=this.fetch_code(code_uri, code_fingerprint),
            transform_graph=Path(transform_graph.path),
            transformed=Path(transformed.path),
            hyperparameters=this.folder(hyperparameters),
        )
        this.done(outcome)
