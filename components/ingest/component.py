"""The KFP face of ingest."""

from typing import NamedTuple

from kfp import dsl


@dsl.component(base_image="naru-stages:python3.12", install_kfp_package=False)
def ingest(
    project: str,
    source: str,
    spans: str,
    source_fingerprint: str,
    examples: dsl.Output[dsl.Dataset],
    quarantine: dsl.Output[dsl.Dataset],
) -> NamedTuple("Ingested", [("fingerprint", str)]):  # type: ignore[valid-type]
    """Read the source's spans, deal the rows to train, eval and test, set unreadable rows aside.

    Args:
        project: The project as JSON.
        source: Path or URL of the table; empty: the project's.
        spans: Spans to read; empty: the project's.
        source_fingerprint: Of what the source holds now, so that a cached run is never a stale one.
        examples: The rows as Parquet by split and span, with their manifest.
        quarantine: Rows that could not be read, with file, line and reason.
    """
    from collections import namedtuple

    from components._core.stages import stage

    with stage("ingest", examples) as this:
        from components.ingest.ingesting import ingest_examples

        this.imported()
        outcome, fingerprint = ingest_examples(
            this.project(project, data__source=source, data__spans=spans),
            examples=this.folder(examples),
            quarantine=this.folder(quarantine),
        )
        this.done(outcome)
    return namedtuple("Ingested", ["fingerprint"])(fingerprint)
