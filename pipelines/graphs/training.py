"""The training pipeline: a straight line of nine stages, the same graph on a laptop and on a cluster."""

from kfp import dsl

from components.deploy.component import deploy
from components.evaluate.component import evaluate
from components.explain.component import explain
from components.ingest.component import ingest
from components.register.component import register
from components.train.component import train
from components.transform.component import transform
from components.tune.component import tune
from components.validate.component import validate
from pipelines.graphs.pipelines import TRAINING


@dsl.pipeline(name=TRAINING.name)
def training(
    project: str,
    code_uri: str,
    code_fingerprint: str,
    source: str = "",
    spans: str = "",
    source_fingerprint: str = "",
    champion: str = "auto",
    trials: int = -1,
    epochs: int = -1,
    run: str = "",
    cause: str = "",
    code_commit: str = "",
    claim: str = "",
) -> None:
    """Train a model on a team's data, and deploy it if it passes every gate.

    1. ingest: read the spans, assign the rows to splits.
    2. validate: statistics, schema, anomalies, drift; may block.
    3. transform: the project's preprocessing_fn, analysed once.
    4. tune: search for hyperparameters, or pass the defaults through.
    5. train: fit the project's model.
    6. evaluate: check it against bounds and against the champion; may block.
    7. explain: compute which features it uses; may block a first model.
    8. register: make it a version in the registry.
    9. deploy: test that it answers, make it the champion, bind the report.

    All parameters have values already; typically source, spans, epochs and trials are changed.

    Args:
        project: The project file as JSON; the other parameters override its fields.
        code_uri: URI of the project's code archive.
        code_fingerprint: Fingerprint of that archive's content; stages are taken from the cache only for the same code.
        source: Path or URL of the table; `{span}` stands for the number of a span, `{YYYY}`, `{MM}`, `{DD}` for its date; empty:
            the project's.
        spans: Spans to read: `all`, `last 3`, by number `7`, `1-11` or `1,2,5`, by date `2024-06`, `2024-01..2024-06` or
            `since 90d`; empty: the project's.
        source_fingerprint: State of the source, any word. `{{workflow.uid}}` is new in every run, so everything is
            computed again; with the word of an earlier run, its results for the same data are taken from the cache.
        champion: The model to beat: `none`, its line of the deployment ledger as JSON, or `auto`, which looks it up. A word
            after `auto` keeps the cache from returning results for an earlier champion.
        trials: Number of models to try when tuning; 0: none; -1: the project's.
        epochs: Maximum number of passes over the training rows; -1: the project's.
        run: Name of this run in the registry and the report.
        cause: Reason for the run, in a few words; shown in the report and the deployment ledger.
        code_commit: Git commit of the code, for the run's record; `+dirty` after it with changes on top.
        claim: Set by a watcher: the decision that started this run.
    """
    ingested = ingest(project=project, source=source, spans=spans, source_fingerprint=source_fingerprint, claim=claim)
    code = {"code_fingerprint": code_fingerprint, "code_uri": code_uri}
    examples = ingested.outputs["examples"]
    validated = validate(project=project, champion=champion, examples=examples, **code)
    transformed = transform(
        project=project,
        examples=examples,
        schema=validated.outputs["schema"],
        blocked=validated.outputs["blocked"],
        **code,
    )
    ready = {
        "transform_graph": transformed.outputs["transform_graph"],
        "transformed": transformed.outputs["transformed"],
    }
    tuned = tune(project=project, trials=trials, **code, **ready)
    trained = train(project=project, epochs=epochs, hyperparameters=tuned.outputs["hyperparameters"], **code, **ready)
    model = trained.outputs["model"]
    evaluated = evaluate(
        project=project, champion=champion, examples=examples, model=model, history=trained.outputs["history"]
    )
    explained = explain(project=project, examples=examples, model=model, evaluation=evaluated.outputs["evaluation"])
    registered = register(
        project=project,
        run=run,
        code_commit=code_commit,
        statistics=validated.outputs["statistics"],
        validation=validated.outputs["validation"],
        model=model,
        evaluation=evaluated.outputs["evaluation"],
        explanation=explained.outputs["explanation"],
        **code,
    )
    deploy(
        project=project,
        run=run,
        cause=cause,
        source=source,
        spans=spans,
        trials=trials,
        epochs=epochs,
        registration=registered.outputs["registration"],
    )
