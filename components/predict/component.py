"""The KFP component of predict."""

from kfp import dsl

from components.stages import PREDICT


@dsl.component(base_image=PREDICT.base_image, install_kfp_package=False)
def predict(
    project: str,
    source: str,
    spans: str,
    source_table: str,
    source_query: str,
    version: str,
    output: str,
    output_format: str,
    output_table: str,
    prefix: str,
    replace: bool,
    predictions: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Answer the rows of a table with a deployed version, and write them with their answers.

    Args:
        project: The project as JSON.
        source: Path or URL of the table; empty: the project's.
        spans: Spans to read; empty: the project's, of another table all.
        source_table: The table of a database; empty: the project's.
        source_query: A SELECT of a database instead of a table.
        version: Version that answers: `champion`, or the number of a deployed one.
        output: A file that ends in .parquet, .csv or .jsonl, or a folder of parts; as in `s3://bucket/answers`.
        output_format: Format of a folder's parts; empty: Parquet.
        output_table: Table of a database that the answers go to.
        prefix: What stands before the names of added columns.
        replace: Whether predictions of other rows, versions or settings are replaced.
        predictions: The manifest: what was predicted by what, and where it is.
        metrics: Numbers of rows, and the metrics of those with a label, as the Kubeflow UI shows them.
    """
    from components._core.project.placeholders import check_replaced
    from components._core.stage.lifecycle import stage
    from components.stages import PREDICT

    with stage(PREDICT, predictions) as this:
        from components.predict.destinations.contract import Output
        from components.predict.predict_version import predict_version
        from components.predict.scoring_table import parse_sql

        this.imported()
        check_replaced("output", output)
        outcome = predict_version(
            this.project(project),
            source=source,
            spans=spans,
            sql=parse_sql(source_table, source_query),
            version=version,
            output=Output(output, output_format, output_table, prefix, replace),
            predictions=this.folder(predictions),
        )
        for name, value in outcome.metrics.items():
            metrics.log_metric(name, value)
        this.done(outcome)
