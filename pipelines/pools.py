"""The pools file: named pools of nodes, the profiles that choose among them, and what each stage asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from components._core.errors import ConfigError
from components._core.project.quantities import Amounts, Quantity
from components._core.project.validation_messages import format_errors
from components._core.project.yaml_text import parse_yaml
from components._core.suggestions import suggest
from components.stages import STAGES

DEFAULT_POOLS = Path(__file__).with_name("pools.yaml")
"""The pools file that is used when none is named."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Toleration(_Section):
    """A toleration of a taint on the pool's nodes; the fields are Kubernetes' own."""

    key: str
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Accelerator(_Section):
    """The devices that a stage gets; type and count must both be set, or there is silently no device."""

    type: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-z0-9._-]+$", description="As in `nvidia.com/gpu`.")]
    count: Annotated[StrictInt, Field(ge=1)]


class Pool(_Section):
    """A pool of nodes."""

    selector: Annotated[dict[str, str], Field(description="Labels that the nodes have.")] = {}
    tolerations: list[Toleration] = []
    accelerator: Accelerator | None = None
    shared_memory: Annotated[Quantity | None, Field(description="Size of /dev/shm; counts as the stage's memory.")] = (
        None
    )
    images: Annotated[
        dict[str, str], Field(description="Replacement image by the name of the image that it replaces.")
    ] = {}
    spot: Annotated[StrictBool, Field(description="Nodes may be removed at any moment.")] = False


class StageResources(_Section):
    """CPU, memory and retries of a stage."""

    requests: Amounts
    limits: Amounts
    retries: Annotated[StrictInt, Field(ge=0, le=5, description="Number of retries after a failure.")] = 0


class Pools(_Section):
    """The content of a pools file."""

    pools: dict[str, Pool]
    profiles: dict[str, dict[str, str]]
    stages: dict[str, StageResources]


def load_pools(file: Path = DEFAULT_POOLS) -> Pools:
    """Read and check a pools file: every stage has resources, every name exists.

    Raises:
        ConfigError: When it cannot be read or is not valid.
    """
    try:
        raw = parse_yaml(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        remedy = "name a file that you may read (--pools or NARU_POOLS); pipelines/pools.yaml is one to copy"
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(file), remedy=remedy) from None
    try:
        pools = Pools.model_validate(raw)
    except ValidationError as error:
        message = "\n  ".join(format_errors(error.errors(), Pools, set()))
        raise ConfigError(message, where=str(file), remedy="pipelines/pools.yaml shows every field") from None
    _check_references(pools, str(file))
    return pools


def choose_pools(pools: Pools, profile: str, where: str = "--profile") -> dict[str, Pool]:
    """Choose the pool of every stage under a profile.

    Raises:
        ConfigError: When there is no such profile.
    """
    if profile not in pools.profiles:
        raise ConfigError(f"there is no profile {profile!r}; {suggest(profile, tuple(pools.profiles))}", where=where)
    chosen = pools.profiles[profile]
    return {stage: pools.pools[chosen.get(stage, "cpu")] for stage in STAGES}


def _check_references(pools: Pools, where: str) -> None:
    if "cpu" not in pools.pools:
        raise ConfigError("pools.cpu is missing: stages run there that a profile does not move", where=where)
    missing = [stage for stage in STAGES if stage not in pools.stages]
    if missing:
        raise ConfigError(f"stages: {', '.join(missing)} missing: each needs requests and limits", where=where)
    for stage, needs in pools.stages.items():
        _check_name(stage, tuple(STAGES), f"stages.{stage}", where)
        if needs.retries and STAGES[stage].side_effects:
            remedy = "remove its retries: its side effects would happen twice"
            raise ConfigError(f"stages.{stage} may not be retried: it has side effects", where=where, remedy=remedy)
    for profile, moved in pools.profiles.items():
        _check_profile(profile, moved, pools, where)


def _check_profile(profile: str, moved: dict[str, str], pools: Pools, where: str) -> None:
    for stage, pool in moved.items():
        _check_name(stage, tuple(STAGES), f"profiles.{profile}", where)
        _check_name(pool, tuple(pools.pools), f"profiles.{profile}.{stage}", where)
        if pools.pools[pool].spot and STAGES[stage].side_effects:
            message = (
                f"profiles.{profile}: {stage} has side effects and may not run on {pool}, whose nodes may be taken away"
            )
            raise ConfigError(message, where=where, remedy="leave it on a pool that is not spot")


def _check_name(name: str, allowed: tuple[str, ...], place: str, where: str) -> None:
    if name not in allowed:
        raise ConfigError(f"{place}: there is no {name!r}; {suggest(name, allowed)}", where=where)
