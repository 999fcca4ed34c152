"""Placement of model servers on a cluster: nodes and image, from the pools file and the target."""

from __future__ import annotations

from components._core.errors import ConfigError
from components._core.project.project_file import Project
from components._core.suggestions import suggest
from components._frameworks.table import framework_extras
from components.deploy.targets.placement import IMAGES, ONNX_IMAGES, SERVER_ACCOUNT, Placement
from pipelines.compile_target import IDENTITY, Target
from pipelines.pools import Pool, load_pools


def place_servers(project: Project, target: Target, namespace: str = "") -> Placement:
    """Make the placement of the project's servers.

    Raises:
        ConfigError: When the pools file is not valid, or has no pool of that name.
    """
    pools, chosen = load_pools(target.pools), project.serve.pool
    if chosen and chosen not in pools.pools:
        message = f"there is no pool {chosen!r} in {target.pools}; {suggest(chosen, tuple(pools.pools))}"
        remedy = "name a pool of that file, or another file: --pools, NARU_POOLS"
        raise ConfigError(message, where="serve.pool", remedy=remedy)
    return _place(pools.pools[chosen] if chosen else Pool(), project.serve.protocol, target, namespace)


def all_placements(target: Target) -> dict[str, dict[str, Placement]]:
    """Make the placements by protocol and pool: the project's choice is known only when its pipeline runs. The empty pool name is any node.

    Raises:
        ConfigError: When the pools file is not valid.
    """
    pools = {"": Pool(), **load_pools(target.pools).pools}
    return {protocol: {name: _place(pool, protocol, target, "") for name, pool in pools.items()} for protocol in IMAGES}


def _place(pool: Pool, protocol: str, target: Target, namespace: str) -> Placement:
    built, tag = _built_image(pool, IMAGES[protocol])
    return Placement(
        image=target.image(f"{built}:{tag}"),
        onnx_image=_find_onnx_image(pool, protocol, target),
        namespace=namespace,
        extras=tuple(extra for extra in target.extras_of(built) if extra in framework_extras()),
        reaches_google=protocol in ONNX_IMAGES
        and all("gcs" in target.extras_of(image) for image in _server_images(pool, protocol)),
        account=SERVER_ACCOUNT if target.credentials == IDENTITY else "",
        pull_secrets=target.pull_secrets,
        selector=pool.selector,
        tolerations=tuple(taint.model_dump(exclude_none=True) for taint in pool.tolerations),
        devices={pool.accelerator.type: pool.accelerator.count} if pool.accelerator else {},
    )


def _server_images(pool: Pool, protocol: str) -> list[str]:
    """The names of the images that servers of a protocol may run from."""
    return [_built_image(pool, images[protocol])[0] for images in (IMAGES, ONNX_IMAGES) if protocol in images]


def _built_image(pool: Pool, named: str) -> tuple[str, str]:
    """The name and the tag of an image, in the pool's own build where it has one."""
    name, _, tag = named.partition(":")
    return pool.images.get(name, name), tag


def _find_onnx_image(pool: Pool, protocol: str, target: Target) -> str:
    """The image for models that need no TensorFlow; empty where the protocol has none, or it was not among those that were pushed."""
    if protocol not in ONNX_IMAGES:
        return ""
    built, tag = _built_image(pool, ONNX_IMAGES[protocol])
    return target.image(f"{built}:{tag}") if not target.digests or built in target.digests else ""
