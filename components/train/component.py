"""The KFP component of train."""

from kfp import dsl

from components.stages import TRAIN


@dsl.component(base_image=TRAIN.base_image, install_kfp_package=False)
def train(
    project: str,
    epochs: int,
    code_fingerprint: str,
    code_uri: str,
    transform_graph: dsl.Input[dsl.Artifact],
    transformed: dsl.Input[dsl.Dataset],
    hyperparameters: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    history: dsl.Output[dsl.Artifact],
) -> None:
    """Fit the project's model on the transformed rows and save it with the transform graph inside.

    Args:
        project: The project as JSON.
        epochs: Maximum number of passes over the training rows; -1: the project's.
        code_fingerprint: Fingerprint of the project's code.
        code_uri: URI of the project's code archive.
        transform_graph: Output of transform, with the schema in its bundle.
        transformed: Output of transform.
        hyperparameters: Output of tune.
        model: The SavedModel and its signature.
        history: Loss and metrics by epoch, and the page as data.
    """
    from pathlib import Path

    from components._core.stage.bundle import bundled
    from components._core.stage.lifecycle import stage
    from components.stages import TRAIN

    with stage(TRAIN, history, after=[transform_graph], bundle={"hyperparameters": hyperparameters}) as this:
        from components.train.train import train_model

        this.imported()
        outcome = train_model(
            this.project(project, train__epochs=epochs),
            code=this.fetch_code(code_uri, code_fingerprint),
            schema=bundled(Path(transform_graph.path), "schema"),
            transform_graph=Path(transform_graph.path),
            transformed=Path(transformed.path),
            hyperparameters=Path(hyperparameters.path),
            model=this.folder(model),
            history=this.folder(history),
        )
        this.done(outcome)
