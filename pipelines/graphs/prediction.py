"""The prediction pipeline: one stage, for a run by hand or a schedule of its own."""

from kfp import dsl

from components.predict.component import predict
from pipelines.graphs.pipelines import PREDICTION


@dsl.pipeline(name=PREDICTION.name)
def prediction(
    project: str,
    output: str,
    source: str = "",
    spans: str = "",
    source_table: str = "",
    source_query: str = "",
    version: str = "champion",
    output_format: str = "",
    output_table: str = "",
    prefix: str = "",
    replace: bool = False,
) -> None:
    """Answer the rows of a table with a deployed version of a project's model.

    1. predict: each row is answered once, as the server answers it, or written aside with the server's code.

    A run that was killed is continued by one with the same parameters; when the output is complete, a run does nothing.

    Args:
        project: The project file as JSON.
        output: A file that ends in .parquet, .csv or .jsonl, or a folder of parts; as in `s3://bucket/answers`.
        source: Path or URL of the table; empty: the project's.
        spans: Spans to read; empty: the project's, of another table all.
        source_table: The table of a database; empty: the project's.
        source_query: A SELECT of a database instead of a table.
        version: Version that answers: `champion`, or the number of a deployed one.
        output_format: Format of a folder's parts: parquet, csv or jsonl; empty: parquet.
        output_table: Table of a database that the answers go to.
        prefix: What stands before the names of added columns.
        replace: Whether predictions of other rows, versions or settings are replaced.
    """
    predict(
        project=project,
        source=source,
        spans=spans,
        source_table=source_table,
        source_query=source_query,
        version=version,
        output=output,
        output_format=output_format,
        output_table=output_table,
        prefix=prefix,
        replace=replace,
    )
