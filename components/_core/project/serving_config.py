"""The sections of the project file about serving: what a served model must show, and how it is served on a cluster."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from components._core.project.config_types import Real, Section
from components._core.project.quantities import Amounts, count_of


class ServingGates(Section):
    """What the served model must show. A bound that is left out is measured and shown, and blocks nothing."""

    p95_ms: Annotated[Real, Field(gt=0, description="95th percentile of the latency of one row, in milliseconds.")] = (
        100.0
    )
    p50_ms: Annotated[Real | None, Field(gt=0, description="The median of the same, in milliseconds.")] = None
    p99_ms: Annotated[Real | None, Field(gt=0, description="The 99th percentile of the same, in milliseconds.")] = None
    parity: Annotated[
        Real, Field(gt=0, description="Largest difference allowed between an offline and a served number.")
    ] = 1e-4
    concurrency: Annotated[
        StrictInt,
        Field(
            ge=1, le=16, description="Clients that ask at the same time under load; the server refuses a seventeenth."
        ),
    ] = 4
    load_seconds: Annotated[
        Real, Field(gt=0, le=600, description="How long the load lasts; with a champion, each of the two gets half.")
    ] = 2.0
    throughput: Annotated[
        Real | None, Field(gt=0, description="Requests of one row per second, at least, by so many clients.")
    ] = None
    error_rate: Annotated[
        Real, Field(ge=0, lt=1, description="Share of proper requests under load that may go unanswered.")
    ] = 0.0
    cold_start_seconds: Annotated[
        Real | None, Field(gt=0, description="From the start of the server to its first answer, at most.")
    ] = None
    memory_mb: Annotated[Real | None, Field(gt=0, description="The server's memory after the load, at most.")] = None
    size_mb: Annotated[Real | None, Field(gt=0, description="Size of the model's files, at most.")] = None
    slower_percent: Annotated[
        Real | None,
        Field(ge=0, description="By how much p95 under load may be above the champion's, asked in turn with it."),
    ] = None


class Autoscaling(Section):
    """How many servers there are, by how busy they are; it takes the place of `replicas`."""

    min: Annotated[StrictInt, Field(ge=1, description="Servers, at least.")] = 1
    max: Annotated[StrictInt, Field(ge=1, description="Servers, at most.")]
    cpu: Annotated[
        StrictInt, Field(ge=1, le=100, description="Percent of the requested CPU, from which there are more.")
    ] = 70

    @model_validator(mode="after")
    def _min_is_no_more_than_max(self) -> Autoscaling:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must be at most max ({self.max})")
        return self


class Resources(Section):
    """What a server in a pod asks for, and what it may take."""

    requests: Annotated[Amounts, Field(description="Kept free for it on a node.")] = Amounts(cpu="500m", memory="1Gi")
    limits: Annotated[Amounts, Field(description="TensorFlow alone takes 0.7 GiB.")] = Amounts(cpu="2", memory="2Gi")

    @model_validator(mode="after")
    def _requests_fit_the_limits(self) -> Resources:
        for name, asked in self.requests:
            allowed = getattr(self.limits, name)
            if count_of(asked) > count_of(allowed):
                raise ValueError(f"requests.{name} ({asked}) must be at most limits.{name} ({allowed})")
        return self


class RequestLogging(Section):
    """What the served model writes down of its requests (docs/serving.md)."""

    uri: Annotated[
        str,
        Field(
            pattern=r"^(s3://[^/]+/.+)?$",
            description="Folder of the log, as pods reach it; empty: `requests` beside the project's models in the store.",
        ),
    ] = ""
    sample: Annotated[Real, Field(ge=0, le=1, description="Share of the requests that is logged.")] = 1.0
    mask: Annotated[list[str], Field(description="Features whose values are not to leave the server.")] = []
    flush_rows: Annotated[StrictInt, Field(ge=1, description="Rows that are written together.")] = 1_000
    flush_seconds: Annotated[
        Real, Field(gt=0, le=3600, description="Or what came in so many seconds: the most that a killed server loses.")
    ] = 30.0


class CanarySteps(Section):
    """How a new version takes over from the one in service."""

    shares: Annotated[
        list[StrictInt],
        Field(description="Percent of the requests that it gets, one step after the other; empty: all at once."),
    ] = [10, 50]
    bake_seconds: Annotated[
        Real, Field(ge=0, le=86_400, description="How long a step is watched before the next one.")
    ] = 60.0
    min_requests: Annotated[
        StrictInt,
        Field(ge=1, description="Requests to each version, from which a step is judged; with fewer, that is said."),
    ] = 50
    when_idle: Annotated[
        Literal["fail", "promote"],
        Field(
            description="What becomes of a step in which a version was asked nothing: it is watched on for `wait_seconds`, then "
            "`fail` takes it back; `promote` goes on at once, and says that nobody judged it."
        ),
    ] = "fail"
    error_rate: Annotated[
        Real, Field(ge=0, lt=1, description="By how much its share of failed requests may be above the stable one's.")
    ] = 0.01
    slower_percent: Annotated[
        Real, Field(ge=0, description="By how much its p95 may be above the stable one's, where it is above gates too.")
    ] = 50.0
    drift: Annotated[
        Real,
        Field(gt=0, le=1, description="Distance between both versions' logged predictions, from which it is too far."),
    ] = 0.3

    @field_validator("shares")
    @classmethod
    def _shares_grow(cls, value: list[int]) -> list[int]:
        if any(not 0 < share < 100 for share in value) or value != sorted(set(value)):
            raise ValueError(f"found {value}; must grow from step to step, between 1 and 99")
        return value


class Serve(Section):
    """The model server: `port` on a laptop, all else on a cluster with Seldon (docs/serving.md)."""

    port: Annotated[
        StrictInt, Field(ge=0, le=65535, description="Port of `naru serve` on loopback; 0: any free one.")
    ] = 8080
    protocol: Annotated[
        Literal["v2", "seldon"],
        Field(
            description="`v2`, the Open Inference Protocol, by MLServer; or `seldon`, that of the seldon-core microservice, "
            "from an image of its own."
        ),
    ] = "v2"
    replicas: Annotated[StrictInt, Field(ge=1, description="Servers; one more is started during a rollout.")] = 1
    autoscaling: Annotated[
        Autoscaling | None, Field(description="Left out: always as many servers as `replicas` says.")
    ] = None
    resources: Resources = Resources()
    pool: Annotated[
        str, Field(description="Pool of the pools file whose nodes serve; empty: any node without taints, no GPU.")
    ] = ""
    engine: Annotated[
        StrictBool,
        Field(
            description="Seldon's orchestrator before the server. Without it status codes are the server's own, and a pod "
            "asks for 0.5 CPU less."
        ),
    ] = False
    secret: Annotated[
        str,
        Field(
            pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$",
            description="Name of the Secret, with keys RCLONE_CONFIG_S3_*, that opens the store to the pod that fetches the "
            "model; empty: none is needed.",
        ),
    ] = "naru-models"  # noqa: S105 - its name
    request_log: Annotated[
        RequestLogging | None,
        Field(description="Left out: none. It is written with the keys AWS_* of the same Secret."),
    ] = None
    canary: CanarySteps = CanarySteps()
    mesh: Annotated[
        Literal["none", "istio"],
        Field(
            description="Who holds the shares: `none`, a Service over the pods of both versions, by their number; `istio`, the "
            "operator's routes, to the percent."
        ),
    ] = "none"
    max_body_mb: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=1024,
            description="Largest body of a request in MiB, also after unpacking, and largest gRPC message; over it: 413.",
        ),
    ] = 16
    max_rows: Annotated[
        StrictInt, Field(ge=1, le=1_000_000, description="Rows of one request, at most; over it: 413.")
    ] = 10_000
    max_inputs: Annotated[
        StrictInt,
        Field(ge=1, le=100_000, description="Inputs of one request, at most; never below the number of features."),
    ] = 1_000
    max_name_bytes: Annotated[
        StrictInt,
        Field(ge=1, le=65_536, description="Bytes of an input's name; never below the longest name of a feature."),
    ] = 256
    max_id_bytes: Annotated[StrictInt, Field(ge=1, le=4_096, description="Bytes of a request's id, at most.")] = 128
    max_text_kb: Annotated[StrictInt, Field(ge=1, le=1_048_576, description="KiB of one text value, at most.")] = 1_024
    max_header_kb: Annotated[
        StrictInt, Field(ge=4, le=1_024, description="KiB of a request's target and headers together; over it: 431.")
    ] = 64
    wait_seconds: Annotated[
        Real, Field(gt=0, le=7200, description="How long a rollout waits for its pods, at most, step by step.")
    ] = 600.0


_LIMITS = {
    "max_body_mb": "--max-body-mb",
    "max_rows": "--max-rows",
    "max_inputs": "--max-inputs",
    "max_name_bytes": "--max-name-bytes",
    "max_id_bytes": "--max-id-bytes",
    "max_text_kb": "--max-text-kb",
    "max_header_kb": "--max-header-kb",
}


def limit_options(serve: Serve) -> list[str]:
    """Command-line options of the server (components/serve/limits.py) for the limits that differ from their defaults.

    Those at their defaults are left out, so that the pods of a project that sets none are not replaced by an update.
    """
    changed = {
        name: getattr(serve, name) for name in _LIMITS if getattr(serve, name) != Serve.model_fields[name].default
    }
    return [text for name, value in changed.items() for text in (_LIMITS[name], str(value))]
