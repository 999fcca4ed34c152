"""The KFP component of validate."""

from typing import NamedTuple

from kfp import dsl

from components.stages import VALIDATE


@dsl.component(base_image=VALIDATE.base_image, install_kfp_package=False)
def validate(
    project: str,
    champion: str,
    code_fingerprint: str,
    code_uri: str,
    examples: dsl.Input[dsl.Dataset],
    statistics: dsl.Output[dsl.Artifact],
    schema: dsl.Output[dsl.Artifact],
    validation: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> NamedTuple("Validated", [("blocked", str)]):  # type: ignore[valid-type]
    """Compute statistics, infer or apply the schema, find anomalies and drift, and judge them by the project's policy.

    Args:
        project: The project as JSON.
        champion: The champion's line of the deployment ledger as JSON; `auto` looks it up, `none` is none.
        code_fingerprint: Fingerprint of the project's code.
        code_uri: URI of the project's code archive, with the reviewed schema if there is one.
        examples: Output of ingest.
        statistics: Statistics of the training rows, as a TensorFlow Metadata proto.
        schema: The effective schema, as a text proto.
        validation: Outcome, checks and the page as data.
        page: The page of this stage.

    Returns:
        blocked: Why the data is blocked; empty: not blocked. A parameter, so that the next stage is taken from the cache
            when only the page has changed.
    """
    from collections import namedtuple
    from pathlib import Path

    from components._core.stage.lifecycle import stage
    from components.stages import VALIDATE

    with stage(VALIDATE, validation, after=[examples]) as this:
        from components.validate.validate import validate_examples

        this.imported()
        outcome = validate_examples(
            this.project(project),
            champion=champion,
            code=this.fetch_code(code_uri, code_fingerprint),
            examples=Path(examples.path),
            statistics=this.folder(statistics),
            schema=this.folder(schema),
            validation=this.folder(validation),
            page=this.file(page),
        )
        this.done(outcome)
    return namedtuple("Validated", ["blocked"])(outcome.reason if outcome.verdict == "blocked" else "")
