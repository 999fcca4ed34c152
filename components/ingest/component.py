"""The KFP component of ingest."""

from kfp import dsl

from components.stages import INGEST


@dsl.component(base_image=INGEST.base_image, install_kfp_package=False)
def ingest(
    project: str,
    source: str,
    spans: str,
    source_fingerprint: str,
    claim: str,
    examples: dsl.Output[dsl.Dataset],
    quarantine: dsl.Output[dsl.Dataset],
) -> None:
    """Read the source's spans, split the rows into train, eval and test, set unreadable rows aside.

    Args:
        project: The project as JSON.
        source: Path or URL of the table; empty: the project's.
        spans: Spans to read; empty: the project's.
        source_fingerprint: State of the source; a cached result is used only for the same state.
        claim: The decision that a watcher started this run for, and the run; else empty.
        examples: The rows as Parquet by split and span, with their manifest.
        quarantine: Rows that could not be read, with file, line and reason.
    """
    from components._core.project.placeholders import check_replaced
    from components._core.stage.lifecycle import stage
    from components._core.store.run_claims import check_claim
    from components.stages import INGEST

    with stage(INGEST, examples) as this:
        from components.ingest.ingest import ingest_examples

        this.imported()
        check_replaced("source_fingerprint", source_fingerprint)
        config = this.project(project, data__source=source, data__spans=spans)
        check_claim(config.name, claim)
        outcome = ingest_examples(
            config,
            examples=this.folder(examples),
            quarantine=this.folder(quarantine),
        )
        this.done(outcome)
