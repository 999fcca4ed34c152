"""The KFP component of transform."""

from kfp import dsl

from components.stages import TRANSFORM


@dsl.component(base_image=TRANSFORM.base_image, install_kfp_package=False)
def transform(
    project: str,
    code_fingerprint: str,
    blocked: str,
    code_uri: str,
    examples: dsl.Input[dsl.Dataset],
    schema: dsl.Input[dsl.Artifact],
    transform_graph: dsl.Output[dsl.Artifact],
    transformed: dsl.Output[dsl.Dataset],
) -> None:
    """Analyse the training rows with the project's preprocessing_fn and write the transformed train and eval rows.

    Refuses data that validation blocked: the run ends here, with the reason.

    Args:
        project: The project as JSON.
        code_fingerprint: Fingerprint of the project's code.
        blocked: Why validate blocked the data; empty: not blocked.
        code_uri: URI of the project's code archive.
        examples: Output of ingest.
        schema: Output of validate.
        transform_graph: The TensorFlow Transform graph and the label's classes; the schema in its bundle.
        transformed: The transformed rows of train and eval as Parquet.
    """
    from pathlib import Path

    from components._core.stage.lifecycle import stage
    from components.stages import TRANSFORM

    with stage(TRANSFORM, transform_graph, after=[examples], bundle={"schema": schema}) as this:
        from components.transform.transform import transform_examples

        this.imported()
        outcome = transform_examples(
            this.project(project),
            code=this.fetch_code(code_uri, code_fingerprint),
            examples=Path(examples.path),
            schema=Path(schema.path),
            blocked=blocked,
            transform_graph=this.folder(transform_graph),
            transformed=this.folder(transformed),
        )
        this.done(outcome)
