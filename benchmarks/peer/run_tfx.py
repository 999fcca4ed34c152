"""Run the flights example with TFX's LocalDagRunner, and record when each component began and ended.

    python run_tfx.py SETTINGS.json

Runs in the peer's environment, as a process of its own; `benchmarks/tfx_run.py` starts it and writes SETTINGS.json.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

STARTED = time.time()

import tensorflow_model_analysis as tfma  # noqa: E402 - what the imports cost is measured too
from tfx import v1 as tfx  # noqa: E402
from tfx.orchestration.portable import launcher  # noqa: E402

MODULE = Path(__file__).with_name("flights_module.py")
AFTER_TRANSFORM = ("Trainer", "Evaluator", "Pusher")


def main(settings_file: str) -> int:
    """Run the pipeline; writes times and the AUC to the file that the settings name."""
    settings = json.loads(Path(settings_file).read_text(encoding="utf-8"))
    record: dict[str, Any] = {"started": STARTED, "imported": time.time(), "stages": []}
    _watch_components(record["stages"])
    tfx.orchestration.LocalDagRunner().run(_pipeline(settings))
    record["ended"] = time.time()
    if not settings["until_transform"]:
        record["auc"] = _auc(Path(settings["home"]))
    Path(settings["record"]).write_text(json.dumps(record), encoding="utf-8")
    return 0


def _watch_components(stages: list[dict[str, Any]]) -> None:
    """Take the time around each component's launch: driver, executor and publisher."""
    launch = launcher.Launcher.launch

    def timed(self: Any) -> Any:
        name, began = self._pipeline_node.node_info.id, time.time()
        result = launch(self)
        stages.append({"stage": name, "began": began, "ended": time.time()})
        return result

    launcher.Launcher.launch = timed


def _pipeline(settings: dict[str, Any]) -> Any:
    home = Path(settings["home"])
    return tfx.dsl.Pipeline(
        pipeline_name="flights",
        pipeline_root=str(home / "pipeline"),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(str(home / "mlmd.db")),
        components=_components(settings, home),
        enable_cache=False,
        beam_pipeline_args=settings["beam"],
    )


def _components(settings: dict[str, Any], home: Path) -> list[Any]:
    example_gen = tfx.components.CsvExampleGen(input_base=settings["data"], input_config=_splits())
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = tfx.components.SchemaGen(statistics=statistics, infer_feature_shape=True)
    schema = schema_gen.outputs["schema"]
    validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema)
    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        module_file=str(MODULE),
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "eval"]),
    )
    ready = [example_gen, statistics_gen, schema_gen, validator, transform]
    return ready if settings["until_transform"] else ready + _model_components(settings, home, examples, transform)


def _model_components(settings: dict[str, Any], home: Path, examples: Any, transform: Any) -> list[Any]:
    trainer = tfx.components.Trainer(
        module_file=str(MODULE),
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(num_steps=settings["steps"]),
        eval_args=tfx.proto.EvalArgs(num_steps=settings["eval_steps"]),
        custom_config={name: settings[name] for name in ("batch_size", "learning_rate", "embedding", "seed")},
    )
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=trainer.outputs["model"],
        eval_config=_eval_config(settings),
        example_splits=["test"],
    )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(home / "serving"))
        ),
    )
    return [trainer, evaluator, pusher]


def _splits() -> Any:
    splits = [tfx.proto.Input.Split(name=name, pattern=f"{name}/*.csv") for name in ("train", "eval", "test")]
    return tfx.proto.Input(splits=splits)


def _eval_config(settings: dict[str, Any]) -> Any:
    # of all rows together, as our gate has it: TFMA would otherwise judge a carrier with thirty flights by it too
    threshold = tfma.PerSliceMetricThreshold(
        slicing_specs=[tfma.SlicingSpec()],
        threshold=tfma.MetricThreshold(
            value_threshold=tfma.GenericValueThreshold(lower_bound={"value": settings["least_auc"]})
        ),
    )
    metric = tfma.MetricConfig(class_name="AUC", per_slice_thresholds=[threshold])
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name="serving_default", label_key="late")],
        metrics_specs=[tfma.MetricsSpec(metrics=[metric])],
        slicing_specs=[tfma.SlicingSpec(), *(tfma.SlicingSpec(feature_keys=[key]) for key in settings["slices"])],
    )


def _auc(home: Path) -> float:
    """Of the pushed model, by the Evaluator; nothing is pushed that it did not bless."""
    if not (home / "serving").is_dir():
        raise SystemExit("the Evaluator did not bless the model, so nothing was pushed")
    found = sorted((home / "pipeline" / "Evaluator" / "evaluation").iterdir())[-1]
    return float(tfma.load_eval_result(str(found)).get_metrics_for_slice()["auc"]["doubleValue"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
