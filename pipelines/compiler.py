"""Compile a project's pipelines: KFP v2 YAML, byte for byte the same for the same project and code."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components._core.errors import ConfigError
from components._core.files import write_text
from components._core.project.placeholders import PER_RUN
from components._core.project.project_file import Project, load_project
from components._core.settings import Settings
from components._core.stage.user_code import pack_code
from components._core.types.default_framework import AUTO_FRAMEWORK
from components._data.formats.registry import AUTO, FORMATS
from components._data.sources.registry import is_relative, location_in_store
from components._frameworks.project_rules import check_framework
from components._frameworks.table import known_frameworks
from components.deploy.targets.placement import IMAGES, check_log, describe_missing_gauges
from pipelines.compile_target import Target
from pipelines.graphs.pipelines import JOINING, MONITORING, PREDICTION, SETTLING, TRAINING, WATCHING, Pipeline
from pipelines.image_extras import check_image_extras, leave_out_kinds
from pipelines.spec_lint import lint_spec
from pipelines.spec_text import tidy_spec, version_of


def compile_project(path: Path, output: Path, overrides: dict[str, Any], target: Target | None = None) -> list[Path]:
    """Write the pipelines that a project needs, and its code archive.

    Args:
        path: The project's folder or file.
        output: The folder to write to; made when it is not there.
        overrides: Values by dotted path that override the file's.
        target: The cluster to compile for; default: read from the environment.

    Returns:
        The files written: the pipelines, training first, and the archive last.

    Raises:
        ConfigError: When the project or the target is not valid, or the linter finds violations in the compiled pipeline.
    """
    project = load_project(path, overrides)
    target = target or Target.from_environment()
    spec, archive = compile_with_code(project, path, output, target)
    others = [compile_pipeline(project, kind, output, target) for kind in needed_pipelines(project)[1:]]
    return [spec, *others, archive]


def needed_pipelines(project: Project) -> tuple[Pipeline, ...]:
    """Return the pipelines that a project needs, training first.

    It is monitored where its requests are logged or it has the section `monitor`, its labels are joined where it has the section
    `feedback`, it is watched where it has triggers, and its live tests are looked at where `serve.rollout` is one of them.
    """
    monitored = project.serve.request_log is not None or "monitor" in project.model_fields_set
    wanted = {
        MONITORING: monitored,
        JOINING: project.feedback is not None,
        WATCHING: bool(project.triggers.on),
        SETTLING: project.serve.live_test is not None,
    }
    return (TRAINING, PREDICTION, *(pipeline for pipeline, is_wanted in wanted.items() if is_wanted))


def compile_pipeline(project: Project, kind: Pipeline, output: Path, target: Target) -> Path:
    """Write a pipeline other than training into a folder, which has the compiled training pipeline already; returns its file."""
    output.mkdir(parents=True, exist_ok=True)
    return _COMPILERS[kind](project, output / kind.file_name, target)


def compile_with_code(project: Project, path: Path, output: Path, target: Target) -> tuple[Path, Path]:
    """Write the training pipeline and the project's code archive, which it names; returns both.

    Args:
        project: The project.
        path: Its folder or file.
        output: The folder to write to; made when it is not there.
        target: The cluster to compile for.

    Raises:
        ConfigError: As `compile_project`, of the training pipeline.
    """
    store = Settings.from_environment().store
    framework = check_framework(project)
    check_image_extras(project, framework, TRAINING, store, target, str(path))
    project, left_out = leave_out_kinds(project, framework, target)
    target.notes.extend([left_out] if left_out else [])
    _check_servers_reach(project, store, target)
    folder = path if path.is_dir() else path.parent
    output.mkdir(parents=True, exist_ok=True)
    archive = output / "code.zip"
    fingerprint = pack_code(folder, project, archive)
    return compile_training(project, fingerprint, output / TRAINING.file_name, target), archive


def _check_servers_reach(project: Project, store: str, target: Target) -> None:
    """Refuse a request log that the servers cannot write, where servers are among the images; note gauges that they will not show."""
    from pipelines.cluster.server_placement import place_servers

    served = IMAGES[project.serve.protocol].partition(":")[0]
    if target.digests and served not in target.digests:
        return
    placement = place_servers(project, target)
    check_log(project, placement, store)
    if missing := describe_missing_gauges(project, placement, store):
        target.notes.append(f"{project.name}: {missing}")


def compile_training(project: Project, code_fingerprint: str, file: Path, target: Target) -> Path:
    """Write the training pipeline, placed for its cluster, with the project's values as the defaults of its parameters.

    Parameters for what a stage looks up outside get a placeholder that is new in each run: see `components/_core/project/placeholders.py`.
    """
    from kfp import dsl

    from pipelines.graphs.training import training
    from pipelines.placement import place_stages
    from pipelines.stage_secrets import Places

    store = Settings.from_environment().store
    locate = _locate_on_cluster(project, store)
    source, data = locate(project.data.source), project.data.with_places(locate)
    defaults = {
        "project": project.model_copy(update={"data": data}).to_json(),
        "code_uri": f"{store}/{project.name}/code/{code_fingerprint}.zip",
        "code_fingerprint": code_fingerprint,
        "source": source,
        "spans": project.data.spans,
        "trials": project.tune.trials,
        "epochs": project.train.epochs,
        "source_fingerprint": PER_RUN,
        "champion": f"auto {PER_RUN}",
        "run": PER_RUN,
    }
    scheduled = [str(schedule.parameters.get("source", "")) for schedule in project.triggers.schedules]
    joined = [join.source for join in data.join]
    places = Places(store, tuple(filter(None, [source, *scheduled, *joined])))
    graph = dsl.pipeline(name=TRAINING.name)(place_stages(TRAINING, training.pipeline_func, target, places))
    return _write(graph, TRAINING, project, defaults, file)


def compile_monitoring(project: Project, file: Path, target: Target) -> Path:
    """Write the monitoring pipeline, placed for its cluster, with the project as the default of its parameter."""
    from kfp import dsl

    from pipelines.graphs.monitoring import monitoring
    from pipelines.placement import place_stages
    from pipelines.stage_secrets import Places

    store = Settings.from_environment().store
    located, _ = _located_feedback(project, store)  # it looks for labelled rows in the published spans
    places = Places(store, (), _hashes(project))
    graph = dsl.pipeline(name=MONITORING.name)(place_stages(MONITORING, monitoring.pipeline_func, target, places))
    return _write(graph, MONITORING, project, {"project": located.to_json()}, file)


def compile_feedback(project: Project, file: Path, target: Target) -> Path:
    """Write the feedback pipeline, placed for its cluster, with the project as the default of its parameter.

    Raises:
        ConfigError: When the labels need an extra which the images are not known to have, or are on this machine.
    """
    from kfp import dsl

    from pipelines.graphs.feedback import joining
    from pipelines.placement import place_stages
    from pipelines.stage_secrets import Places

    store = Settings.from_environment().store
    check_image_extras(project, check_framework(project), JOINING, store, target, project.name)
    located, sources = _located_feedback(project, store)
    if "://" in store and (local := next(filter(is_relative, sources), "")):
        message = f"the labels {local!r} are on this machine, which runs on a cluster cannot read"
        remedy = "name them by a URL, as in s3://bucket/flights/labels/"
        raise ConfigError(message, where=f"{project.name}: feedback.labels", remedy=remedy)
    places = Places(store, tuple(filter(None, sources)))
    graph = dsl.pipeline(name=JOINING.name)(place_stages(JOINING, joining.pipeline_func, target, places))
    return _write(graph, JOINING, project, {"project": located.to_json()}, file)


def compile_prediction(project: Project, file: Path, target: Target) -> Path:
    """Write the prediction pipeline, placed for its cluster; its default output is a folder in the store, new in each run."""
    from kfp import dsl

    from pipelines.graphs.prediction import prediction
    from pipelines.placement import place_stages
    from pipelines.stage_secrets import Places

    store = Settings.from_environment().store
    located, sources = _located(project, store)
    defaults = {
        "project": located.to_json(),
        "output": f"{store.rstrip('/')}/{project.name}/answers/{PER_RUN}",
    }
    places = Places(store, tuple(filter(None, sources)), _hashes(project))
    graph = dsl.pipeline(name=PREDICTION.name)(place_stages(PREDICTION, prediction.pipeline_func, target, places))
    return _write(graph, PREDICTION, project, defaults, file)


def compile_watching(project: Project, file: Path, target: Target) -> Path:
    """Write the watching pipeline, placed for its cluster; it names the version of the training pipeline beside it, which its runs start."""
    from kfp import dsl

    from pipelines.graphs.watch import watching
    from pipelines.placement import place_stages
    from pipelines.stage_secrets import Places

    store = Settings.from_environment().store
    located, sources = _located(project, store)
    named = [str(project.triggers.parameters_of(trigger).get("source", "")) for trigger in project.triggers.on]
    places = Places(store, tuple(filter(None, [*sources, *named])))
    version = version_of(file.with_name(TRAINING.file_name).read_text(encoding="utf-8"))
    defaults = {
        "project": located.to_json(whole=True),
        "training": f"{TRAINING.name_of(project.name)}/{version}",
    }
    graph = dsl.pipeline(name=WATCHING.name)(place_stages(WATCHING, watching.pipeline_func, target, places))
    return _write(graph, WATCHING, project, defaults, file)


def compile_settling(project: Project, file: Path, target: Target) -> Path:
    """Write the pipeline of live tests, placed for its cluster, with the project as the default of its parameter."""
    from kfp import dsl

    from pipelines.graphs.livetest import livetest
    from pipelines.placement import place_stages
    from pipelines.stage_secrets import Places

    store = Settings.from_environment().store
    located, sources = _located_feedback(project, store)  # it reads the labels themselves: a span may come days later
    places = Places(store, tuple(filter(None, sources)))
    graph = dsl.pipeline(name=SETTLING.name)(place_stages(SETTLING, livetest.pipeline_func, target, places))
    return _write(graph, SETTLING, project, {"project": located.to_json()}, file)


_COMPILERS: dict[Pipeline, Callable[[Project, Path, Target], Path]] = {
    JOINING: compile_feedback,
    MONITORING: compile_monitoring,
    PREDICTION: compile_prediction,
    SETTLING: compile_settling,
    WATCHING: compile_watching,
}


def _hashes(project: Project) -> bool:
    return bool(project.serve.request_log and project.serve.request_log.hash)


def _write(graph: Any, pipeline: Pipeline, project: Project, defaults: dict[str, Any], file: Path) -> Path:
    """Compile a placed graph, check it, and write it."""
    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / pipeline.file_name
        name = pipeline.name_of(project.name)
        compiler.Compiler().compile(graph, str(written), pipeline_name=name, pipeline_parameters=defaults)
        tidy_spec(written)
        lint_spec(written, str(file))
        write_text(file, written.read_text(encoding="utf-8"))
    return file


def _located(project: Project, store: str) -> tuple[Project, list[str]]:
    """Return a project with its locations as a cluster reads them, and these locations."""
    locate = _locate_on_cluster(project, store)
    source, data = locate(project.data.source), project.data.with_places(locate)
    located = project.model_copy(update={"data": data.model_copy(update={"source": source})})
    return located, [source, *(join.source for join in data.join)]


def _located_feedback(project: Project, store: str) -> tuple[Project, list[str]]:
    """Return a project with the locations of its labels and spans as a cluster reads them, and those that are read."""
    if project.feedback is None:
        return project, []
    located = project.feedback.located(_locate_on_cluster(project, store))
    labels = located.labels
    sources = [labels.source, *(join.source for join in labels.join)] if labels else []
    return project.model_copy(update={"feedback": located}), sources


def _locate_on_cluster(project: Project, store: str) -> Callable[[str], str]:
    """Return how a location is resolved for a cluster: a relative path, which no pod has, is taken from the project's folder in the store."""
    if "://" not in store:
        return lambda location: location
    return lambda location: location_in_store(location, f"{store.rstrip('/')}/{project.name}")


def project_schema() -> str:
    """Render the JSON Schema of project.yaml, the same with every version of pydantic."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Project.model_json_schema(by_alias=True)}
    schema["$defs"]["Data"]["properties"]["format"]["enum"] = ["", AUTO, *FORMATS]  # the project file knows no format
    schema["$defs"]["Code"]["properties"]["framework"]["enum"] = [
        *known_frameworks(),
        AUTO_FRAMEWORK,
    ]  # and no framework
    return json.dumps(_normalize_schema(schema), indent=2, sort_keys=True) + "\n"


def _normalize_schema(node: Any) -> Any:
    """Remove what versions of pydantic write differently: wrapped references, and repeated constants."""
    if isinstance(node, list):
        return [_normalize_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node.get("allOf", ())) == 1:
        node = {**{key: value for key, value in node.items() if key != "allOf"}, **node["allOf"][0]}
    said_twice = {"enum", "type"} if "const" in node else {"le", "lt"}
    return {key: _normalize_schema(value) for key, value in node.items() if key not in said_twice}
