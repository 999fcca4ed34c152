"""The KFP component of explain."""

from kfp import dsl

from components.stages import EXPLAIN


@dsl.component(base_image=EXPLAIN.base_image, install_kfp_package=False)
def explain(
    project: str,
    examples: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    explanation: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Explain which features the model uses: permutation importance, integrated gradients, leak suspects.

    Args:
        project: The project as JSON.
        examples: Output of ingest.
        model: Output of train.
        evaluation: Output of evaluate; a blocked model is not explained.
        explanation: Outcome and the page as data.
        page: The page of this stage.
    """
    from pathlib import Path

    from components._core.stage.lifecycle import stage
    from components.stages import EXPLAIN

    with stage(EXPLAIN, explanation, bundle={"evaluation": evaluation}) as this:
        from components.explain.explain import explain_model

        this.imported()
        outcome = explain_model(
            this.project(project),
            examples=Path(examples.path),
            model=Path(model.path),
            evaluation=Path(evaluation.path),
            explanation=this.folder(explanation),
            page=this.file(page),
        )
        this.done(outcome)
