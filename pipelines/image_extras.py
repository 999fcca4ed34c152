"""Whether the images have the extras that a project needs, or may use: checked before anything is compiled or submitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from components._core.errors import ConfigError
from components._core.extras import build_command
from components._core.project.data_config import Data
from components._core.project.project_file import Project
from components._core.setting_names import STORE
from components._data.cluster_rules import location_extras, table_extras
from components._frameworks.contract import Framework
from components._frameworks.model_kinds import ModelKind, baseline_kinds
from components._frameworks.model_rules import (
    describe_left_out,
    optional_kinds,
    required_kinds,
    search_only,
)
from components._frameworks.project_rules import may_be_prepared
from components._frameworks.table import find_framework
from components._frameworks.variant_rules import needed_extras
from components.deploy.targets.placement import IMAGES, ONNX_IMAGES
from components.stages import EVALUATE, FEEDBACK, INGEST, PREDICT, TRAIN, TUNE
from pipelines.compile_target import Target
from pipelines.graphs.pipelines import TRAINING, Pipeline
from pipelines.pools import choose_pools, load_pools


@dataclass(frozen=True)
class Need:
    """An extra that some images must have.

    Attributes:
        where: What needs it: a key of project.yaml, or the store.
        extra: The extra of `pyproject.toml`.
        images: Names of the images, as in `naru-stages`.
    """

    where: str
    extra: str
    images: tuple[str, ...]


def check_image_extras(
    project: Project, framework: Framework, pipeline: Pipeline, store: str, target: Target, file: str
) -> None:
    """Refuse a project that needs an extra which the images are not known to have.

    Args:
        project: The project.
        framework: Its framework.
        pipeline: The pipeline that is compiled.
        store: Address of the object store.
        target: The cluster, with what is known of its images.
        file: The project's file, for the message.

    Raises:
        ConfigError: With every extra that is missing, what needs it, and the command that builds the images with it.
    """
    images = _images_by_stage(pipeline, target)
    _check_training_image(framework, images, file)
    needs = list(_needs(project, framework, pipeline, store, images, target))
    missing = {need: _lacking(need, target) for need in needs}
    lines = [
        f"{need.where} needs the extra {need.extra!r}, which {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not known to have"
        for need, lacking in missing.items()
        if lacking
    ]
    if lines:
        known = {extra for image in images.values() for extra in target.extras_of(image)}
        remedy = f"build it in: {build_command({*known, *(need.extra for need in needs)})}; or run it with `naru run`"
        raise ConfigError(lines[0] if len(lines) == 1 else "\n  " + "\n  ".join(lines), where=file, remedy=remedy)


def leave_out_kinds(project: Project, framework: Framework, target: Target) -> tuple[Project, str]:
    """Leave those kinds out of `tune.models: auto` which the images that fit and serve models are not known to have.

    Args:
        project: The project.
        framework: Its framework.
        target: The cluster, with what is known of its images.

    Returns:
        The project, and what is left out in a sentence; empty: nothing.
    """
    images = _images_by_stage(TRAINING, target)
    kept: list[ModelKind] = []
    left_out: list[ModelKind] = []
    lacking: dict[str, None] = {}
    for kind in optional_kinds(project):
        other = find_framework(kind.framework)
        called = _unique([*_learners(TRAINING, images), *_pushed_servers(project, other, target)])
        missing = _lacking(Need(kind.name, other.extra, called), target)
        (left_out if missing else kept).append(kind)
        lacking.update(dict.fromkeys(missing))
    if not left_out:
        return project, ""
    known = {extra for image in images.values() for extra in target.extras_of(image)}
    return search_only(project, kept), f"{project.name}: {describe_left_out(left_out, list(lacking), known)}"


def _needs(
    project: Project,
    framework: Framework,
    pipeline: Pipeline,
    store: str,
    images: dict[str, str],
    target: Target,
) -> Iterator[Need]:
    readers = _unique(images[stage.name] for stage in pipeline.stages if stage in (INGEST, PREDICT))
    for key, extra in table_extras(project.data):
        yield Need(key, extra, readers)
    labels = project.feedback.labels if project.feedback else None
    if labels is not None and FEEDBACK in pipeline.stages:
        table = Data(source=labels.source, format=labels.format, sql=labels.sql, join=labels.join)
        for key, extra in table_extras(table):
            yield Need(key.replace("data.", "feedback.labels.", 1), extra, (images[FEEDBACK.name],))
    for schedule in project.triggers.schedules:
        for extra in location_extras(str(schedule.parameters.get("source", ""))):
            yield Need(f"the source of the schedule {schedule.name}", extra, readers)
    for extra in location_extras(store):
        reach = [images[stage.name] for stage in pipeline.stages if STORE in stage.environment]
        yield Need(f"the store ({STORE}={store})", extra, _unique(reach))
    for extra in location_extras(project.serve.request_log.uri if project.serve.request_log else ""):
        reach = [images[stage.name] for stage in pipeline.stages if STORE in stage.environment]
        yield Need("serve.request_log.uri", extra, _unique(reach))
    learn = _learners(pipeline, images)
    known = {"", framework.extra}
    for kind in required_kinds(project):
        other = find_framework(kind.framework)
        if other.extra not in known:
            known.add(other.extra)
            called = _unique([*learn, *_pushed_servers(project, other, target)])
            yield Need(f"the kind {kind.name} of tune.models", other.extra, called)
    for extra in needed_extras(project, framework):
        if EVALUATE in pipeline.stages:
            servers = _pushed_servers(project, framework, target)
            yield Need("serve.optimize", extra, _unique([images[EVALUATE.name], *servers]))
    if project.tune.baselines == "on":
        for extra in dict.fromkeys(find_framework(kind.framework).extra for kind in baseline_kinds()):
            yield Need(
                "tune.baselines", extra, _unique(images[stage.name] for stage in pipeline.stages if stage == TRAIN)
            )
    if framework.extra:
        yield Need("code.framework", framework.extra, _unique([*learn, *_pushed_servers(project, framework, target)]))


def _learners(pipeline: Pipeline, images: dict[str, str]) -> list[str]:
    """The images of the stages that fit models or open them."""
    return [images[stage.name] for stage in pipeline.stages if stage.image == INGEST.image]


def _pushed_servers(project: Project, framework: Framework, target: Target) -> list[str]:
    """The image of the project's servers, where it was pushed and has the framework's packages by the extra only."""
    protocol = project.serve.protocol
    served, alone = (images.get(protocol, "").partition(":")[0] for images in (IMAGES, ONNX_IMAGES))
    if alone in target.digests and not may_be_prepared(project, framework):
        return []
    return [served] if served in target.digests else []


def _check_training_image(framework: Framework, images: dict[str, str], file: str) -> None:
    """Refuse a framework whose library is in an image of its own when tune and train would run in another."""
    wanted = framework.training_image
    others = [stage.name for stage in (TUNE, TRAIN) if images.get(stage.name, wanted) != wanted]
    if wanted and others:
        message = f"code.framework {framework.name!r} is fitted in {wanted}, and {' and '.join(others)} would run in {images[others[0]]}"
        remedy = f"choose a profile of the pools file that does so, as in --profile {framework.name} (NARU_PROFILE); or run it with `naru run`"
        raise ConfigError(message, where=file, remedy=remedy)


def _images_by_stage(pipeline: Pipeline, target: Target) -> dict[str, str]:
    chosen = choose_pools(load_pools(target.pools), target.profile)
    return {stage.name: chosen[stage.name].images.get(stage.image, stage.image) for stage in pipeline.stages}


def _lacking(need: Need, target: Target) -> list[str]:
    return [image for image in need.images if need.extra not in target.extras_of(image)]


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
