"""Place stages on a cluster: nodes, images, resources, environment, caching and retries.

All of this goes into the compiled spec only; local runs do not use it. Credentials and addresses are
named, never written: they are in the ConfigMap of `manifests/base/settings` and in Secrets (`stage_secrets.py`), in the namespace of the runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from components._cluster.kubernetes_client import ACCOUNT_FOLDER
from components._core.setting_names import IMAGE
from components._core.stage.stage_spec import StageSpec
from components.deploy.targets.placement import PLACEMENTS, dump_placements
from pipelines.cluster.server_placement import all_placements
from pipelines.compile_target import Target
from pipelines.graphs.pipelines import Pipeline
from pipelines.pools import Pool, StageResources, choose_pools, load_pools
from pipelines.stage_secrets import Places, set_secrets

CONFIG_MAP = "naru-settings"
DEPLOYER = "naru-deployer"
"""Service account that a rollout acts as, and the Secret with its token."""
STAGE_LABEL = "naru/stage"

_CA_FOLDER = "/etc/naru-ca"
_ACCOUNT_FOLDER = "/var/run/secrets/naru-deployer"
_CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def place_stages(pipeline: Pipeline, graph: Callable[..., None], target: Target, places: Places) -> Callable[..., None]:
    """The same graph, with its stages placed for a cluster: the function to compile.

    Args:
        pipeline: The pipeline.
        graph: Its graph.
        target: The cluster.
        places: Where the stages read and write.

    Raises:
        ConfigError: When the pools file does not fit, or has no such profile.
    """
    from kfp.dsl import pipeline_context

    pools = load_pools(target.pools)
    chosen = choose_pools(pools, target.profile)

    @functools.wraps(graph)
    def traced(*args: Any, **kwargs: Any) -> None:
        graph(*args, **kwargs)
        tasks = pipeline_context.Pipeline.get_default_pipeline().tasks
        for stage in pipeline.stages:
            _place_stage(tasks[stage.name], stage, chosen[stage.name], pools.stages[stage.name], target)
            set_secrets(tasks[stage.name], stage, target.credentials, places)

    return traced


def _place_stage(task: Any, stage: StageSpec, pool: Pool, needs: StageResources, target: Target) -> None:
    from kfp import kubernetes

    named = _set_image(task, pool, target)
    task.set_cpu_request(needs.requests.cpu).set_cpu_limit(needs.limits.cpu)
    task.set_memory_request(needs.requests.memory).set_memory_limit(needs.limits.memory)
    # KFP's cache key has the image's name, not its content. ingest and validate also look outside, and are cached all the same: KFP
    # identifies an input by the number of its artifact, so what comes after a stage that ran is never taken from the cache.
    # What they see outside has a parameter instead (`source_fingerprint`, `champion`), which is new in each run unless it is
    # set when the run is started (`components/_core/project/placeholders.py`).
    task.set_caching_options(stage.is_cached_by_kfp and target.is_pinned(named))
    if needs.retries:
        task.set_retry(needs.retries, backoff_duration="30s")
    kubernetes.add_pod_label(task, STAGE_LABEL, stage.name)
    _set_environment(task, stage, target)
    _choose_nodes(task, pool)


def _set_image(task: Any, pool: Pool, target: Target) -> str:
    """Set the image of the pool; returns its name as components write it."""
    from kfp import kubernetes

    name, _, tag = task.container_spec.image.partition(":")
    named = f"{pool.images.get(name, name)}:{tag}"
    task.set_container_image(target.image(named))
    if target.pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(target.pull_secrets))
    return named


def _set_environment(task: Any, stage: StageSpec, target: Target) -> None:
    from kfp import kubernetes

    if stage.trains:
        task.set_env_variable(IMAGE, task.container_spec.image)
    if not stage.environment:
        return
    if stage.cluster_access:
        task.set_env_variable(PLACEMENTS, dump_placements(all_placements(target)))
        task.set_env_variable(ACCOUNT_FOLDER, _ACCOUNT_FOLDER)
        kubernetes.use_secret_as_volume(
            task, DEPLOYER, _ACCOUNT_FOLDER, optional=True
        )  # it exists where models are served
    kubernetes.use_config_map_as_env(task, CONFIG_MAP, {name: name for name in stage.environment})
    if target.ca:
        kubernetes.use_config_map_as_volume(task, target.ca, _CA_FOLDER)
        for name in _CA_VARIABLES:
            task.set_env_variable(name, f"{_CA_FOLDER}/ca.crt")


def _choose_nodes(task: Any, pool: Pool) -> None:
    from kfp import kubernetes

    for label, value in pool.selector.items():
        kubernetes.add_node_selector(task, label, value)
    for taint in pool.tolerations:
        kubernetes.add_toleration(task, taint.key, taint.operator, taint.value, taint.effect)
    if pool.accelerator:
        task.set_accelerator_type(pool.accelerator.type).set_accelerator_limit(pool.accelerator.count)
    if pool.shared_memory:
        shm = {"volume_name": "shm", "mount_path": "/dev/shm"}  # noqa: S108 - where programs share memory
        kubernetes.empty_dir_mount(task, **shm, medium="Memory", size_limit=pool.shared_memory)
