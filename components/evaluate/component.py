"""The KFP component of evaluate."""

from kfp import dsl

from components.stages import EVALUATE


@dsl.component(base_image=EVALUATE.base_image, install_kfp_package=False)
def evaluate(
    project: str,
    champion: str,
    examples: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    history: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    classification: dsl.Output[dsl.ClassificationMetrics],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Judge the model on the test rows: metrics, slices, the champion on the same rows, latency.

    Args:
        project: The project as JSON.
        champion: The champion's line of the deployment ledger as JSON; `auto` looks it up, `none` is none.
        examples: Output of ingest.
        model: Output of train.
        history: Output of train: bundled for the report, and with the scores of simpler models.
        evaluation: Outcome, checks, the page as data, a sample of rows with the model's answers, and what its server needs.
        metrics: The metrics, as the Kubeflow UI shows them.
        classification: ROC and confusion matrix, as the Kubeflow UI shows them.
        page: The page of this stage.
    """
    from pathlib import Path

    from components._core.stage.lifecycle import stage
    from components.stages import EVALUATE

    with stage(EVALUATE, evaluation, bundle={"history": history}) as this:
        from components.evaluate.evaluate import evaluate_model

        this.imported()
        judged = evaluate_model(
            this.project(project),
            champion=champion,
            examples=Path(examples.path),
            model=Path(model.path),
            evaluation=this.folder(evaluation),
            page=this.file(page),
            history=Path(history.path),
        )
        for name, value in judged.scalars.items():
            metrics.log_metric(name, value)
        if judged.confusion:
            classification.log_confusion_matrix(judged.classes, judged.confusion)
        if judged.roc:
            classification.log_roc_curve(*judged.roc)
        this.done(judged.outcome)
