"""The stages: one row for each folder that has a `component.py`. A pipeline chooses among them (`pipelines/graphs`)."""

from __future__ import annotations

from components._core.project.stage_config import EVERYTHING
from components._core.setting_names import KFP_ENDPOINT, NAMESPACE, SERVING, STORE, TRACKING
from components._core.stage.stage_spec import OF_FRAMEWORK, OF_PREPROCESSING, StageSpec

_STAGES = "naru-stages"
_LIGHT = "naru-light"
_STORE = (STORE, "AWS_ENDPOINT_URL", "AWS_REGION")

STAGES: dict[str, StageSpec] = {}
"""Every stage by its name, in the order of the lifecycle."""


def register(spec: StageSpec) -> StageSpec:
    """Add a stage to the table, and return it.

    Raises:
        ValueError: When the name is taken.
    """
    if spec.name in STAGES:
        raise ValueError(f"duplicate stage {spec.name!r}")
    STAGES[spec.name] = spec
    return spec


INGEST = register(
    StageSpec(
        "ingest",
        _STAGES,
        reads=("data", "gates.model.slices"),
        environment=_STORE,
        own_process=True,
    )
)
VALIDATE = register(
    StageSpec(
        "validate",
        _STAGES,
        reads=("gates.data", "data.exclusion_reasons", "data.checks"),
        code="schema",
        environment=_STORE,
        imports=("tensorflow_data_validation", "components.validate.validate"),
    )
)
TRANSFORM = register(
    StageSpec(
        "transform",
        _STAGES,
        reads=("transform",),
        code="preprocessing",
        environment=_STORE,
        imports=("components.transform.transform", OF_PREPROCESSING),
        imports_during="validate",  # validate starts the sooner
    )
)
TUNE = register(
    StageSpec(
        "tune",
        _STAGES,
        reads=("train", "tune", "gates.model.metric", "data.split"),
        code="all",
        environment=_STORE,
        imports=(OF_FRAMEWORK, "components.tune.tune"),
        imports_during="validate",
    )
)
TRAIN = register(
    StageSpec(
        "train",
        _STAGES,
        reads=("train", "model", "tune.baselines", "data.pictures", "data.texts"),
        code="all",
        environment=_STORE,
        trains=True,
        imports=("components.train.train", OF_FRAMEWORK),
        imports_during="validate",
    )
)
EVALUATE = register(
    StageSpec(
        "evaluate",
        _STAGES,
        reads=(
            "gates.model",
            "gates.serving.p95_ms",
            "gates.serving.parity",
            "train.seed",
            "train.class_weight",
            "serve.threshold",
            "serve.interval",
            "serve.optimize",
        ),
        environment=_STORE,
        looks_outside=True,  # it looks up who the champion is today
        imports=("components.evaluate.evaluate", OF_FRAMEWORK),
        imports_during="validate",
    )
)
EXPLAIN = register(
    StageSpec(
        "explain",
        _STAGES,
        reads=(
            "gates.model.metric",
            "gates.model.first",
            "gates.model.leaks",
            "gates.model.importance_agreement",
            "gates.model.importance_shift",
            "train.seed",
        ),
        imports=("components.explain.explain",),
        imports_during="validate",
    )
)
REGISTER = register(
    StageSpec(
        "register",
        _LIGHT,
        reads=EVERYTHING,
        code="all",
        environment=(*_STORE, TRACKING),
        side_effects=True,
        imports=(
            "mlflow",
            "mlflow.store.tracking.sqlalchemy_store",
            "mlflow.store.model_registry.sqlalchemy_store",
            "components.register.register",
        ),
        imports_during="train",  # the longest stage leaves the second core free
    )
)
DEPLOY = register(
    StageSpec(
        "deploy",
        _LIGHT,
        reads=(*EVERYTHING, "feedback"),
        environment=(*_STORE, TRACKING, SERVING, NAMESPACE),
        side_effects=True,
        cluster_access=True,
        imports=("components.deploy.deploy", "mlserver", "components.serve.mlserver_runtime"),
        imports_during="train",
    )
)
MONITOR = register(
    StageSpec(
        "monitor",
        _LIGHT,
        reads=("monitor", "serve.request_log", "feedback", "gates.model.metric", "gates.data.anomalies"),
        environment=(*_STORE, TRACKING),
        side_effects=True,
        imports=("components.monitor.monitor",),
    )
)
FEEDBACK = register(
    StageSpec(
        "feedback",
        _STAGES,
        reads=("data", "serve.request_log", "feedback"),
        environment=_STORE,
        side_effects=True,
        imports=("components.feedback.join_labels",),
    )
)
WATCH = register(
    StageSpec(
        "watch",
        _LIGHT,
        reads=EVERYTHING,
        environment=(*_STORE, KFP_ENDPOINT),
        side_effects=True,
        imports=("components.watch.watch",),
    )
)
SETTLE = register(
    StageSpec(
        "settle",
        _LIGHT,
        reads=(*EVERYTHING, "feedback"),
        environment=(*_STORE, TRACKING, SERVING, NAMESPACE),
        side_effects=True,
        cluster_access=True,
        imports=("components.deploy.settle.settle",),
    )
)
PREDICT = register(
    StageSpec(
        "predict",
        _STAGES,
        reads=("data", "serve"),
        environment=_STORE,
        side_effects=True,
        imports=("components.predict.predict_version", OF_FRAMEWORK),
    )
)
