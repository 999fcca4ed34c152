"""The sections of the project file about serving: the server, its log of requests, its rollout and scale on a cluster."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, field_validator, model_validator

from components._core.project.approval_config import OptionalApproval
from components._core.project.config_types import Real, Section
from components._core.project.live_test_config import AbTest, RolloutMode, ShadowTest
from components._core.project.optimize_config import OptionalOptimize
from components._core.project.quantities import Amounts, count_of


class Autoscaling(Section):
    """Number of servers by load; replaces `replicas`."""

    min: Annotated[StrictInt, Field(ge=1, description="Minimum number of servers.")] = 1
    max: Annotated[StrictInt, Field(ge=1, description="Maximum number of servers.")]
    cpu: Annotated[
        StrictInt, Field(ge=1, le=100, description="CPU use, in percent of the request, above which servers are added.")
    ] = 70

    @model_validator(mode="after")
    def _min_is_at_most_max(self) -> Autoscaling:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must be at most max ({self.max})")
        return self


class Resources(Section):
    """CPU and memory of a server in a pod: requests and limits."""

    requests: Annotated[Amounts, Field(description="Reserved on a node.")] = Amounts(cpu="500m", memory="1Gi")
    limits: Annotated[Amounts, Field(description="TensorFlow alone takes 0.7 GiB.")] = Amounts(cpu="2", memory="2Gi")

    @model_validator(mode="after")
    def _requests_fit_the_limits(self) -> Resources:
        for name, requested in self.requests:
            allowed = getattr(self.limits, name)
            if count_of(requested) > count_of(allowed):
                raise ValueError(f"requests.{name} ({requested}) must be at most limits.{name} ({allowed})")
        return self


class RequestLogging(Section):
    """The log of the served model's requests (docs/serving.md)."""

    later: ClassVar[frozenset[str]] = frozenset({"pictures"})

    uri: Annotated[
        str,
        Field(
            pattern=r"^((s3|gs)://[^/]+/.+)?$",
            description="Folder of the log, as servers reach it, in S3 or Google Cloud Storage (of Seldon's servers: S3); empty: `requests` beside "
            "the project's models in the store.",
        ),
    ] = ""
    sample: Annotated[Real, Field(ge=0, le=1, description="Share of the requests that is logged.")] = 1.0
    mask: Annotated[list[str], Field(description="Features whose values must not leave the server.")] = []
    hash: Annotated[
        list[str],
        Field(
            description="Those of `mask` of which the log has a keyed hash, so that equal values can be counted and joined. The key is "
            "in the environment variable NARU_LOG_KEY of the server; on a cluster in the Secret `serve.secret`."
        ),
    ] = []
    pictures: Annotated[
        Literal["reference", "keep"],
        Field(
            description="What the log has of a picture: `reference`, its SHA-256, size and measures; `keep`, its bytes too, without which "
            "`naru feedback` cannot make training rows of requests."
        ),
    ] = "reference"
    flush_rows: Annotated[StrictInt, Field(ge=1, description="Rows per write.")] = 1_000
    flush_seconds: Annotated[
        Real, Field(gt=0, le=3600, description="Longest time between writes: a killed server loses no more than that.")
    ] = 30.0

    @model_validator(mode="after")
    def _hashed_features_are_masked(self) -> RequestLogging:
        if unmasked := [name for name in self.hash if name not in self.mask]:
            raise ValueError(
                f"hash: {', '.join(unmasked)} must be in mask too: a hash is logged in place of a masked value"
            )
        return self


class CanarySteps(Section):
    """How a new version takes over from the stable one."""

    shares: Annotated[
        list[StrictInt],
        Field(description="Percent of the requests that the new version gets in each step; empty: all at once."),
    ] = [10, 50]
    bake_seconds: Annotated[
        Real, Field(ge=0, le=86_400, description="How long a step is observed before the next one.")
    ] = 60.0
    min_requests: Annotated[
        StrictInt,
        Field(
            ge=1, description="Fewest requests to each version for a step to be judged; with fewer, the report says so."
        ),
    ] = 50
    when_idle: Annotated[
        Literal["fail", "promote"],
        Field(
            description="Outcome of a step in which a version got no requests: it is observed for up to `wait_seconds`, then "
            "`fail` takes it back; `promote` continues at once, and reports that the step was not judged."
        ),
    ] = "fail"
    error_rate: Annotated[
        Real,
        Field(ge=0, lt=1, description="How much higher its share of failed requests may be than the stable version's."),
    ] = 0.01
    slower_percent: Annotated[
        Real,
        Field(
            ge=0, description="How much higher its p95 may be than the stable version's, if it is above the gate too."
        ),
    ] = 50.0
    drift: Annotated[
        Real,
        Field(gt=0, le=1, description="Distance between both versions' logged predictions from which the step fails."),
    ] = 0.3

    @field_validator("shares")
    @classmethod
    def _shares_grow(cls, value: list[int]) -> list[int]:
        if any(not 0 < share < 100 for share in value) or value != sorted(set(value)):
            raise ValueError(f"found {value}; must grow from step to step, between 1 and 99")
        return value


def _check_threshold(value: Any) -> Any:
    """Refuse what is neither a probability nor a text; the project checks the text, which depends on the task."""
    if value is None:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"found {repr(value)[:80]}; {_THRESHOLD}")
    if not isinstance(value, str) and not 0 < value < 1:
        raise ValueError(f"found {value:g}; {_THRESHOLD}")
    return value


_THRESHOLD = "must be a number between 0 and 1, or the metric by which it is chosen, as in f1"


class Serve(Section):
    """The model server: `port`, `threshold`, `interval`, `optimize`, `request_log` and `approve` also on a laptop, all else on a cluster with Seldon (docs/serving.md)."""

    later: ClassVar[frozenset[str]] = frozenset(
        {"ab", "approve", "interval", "optimize", "rollout", "shadow", "threshold"}
    )

    threshold: Annotated[
        float | str | None,
        BeforeValidator(_check_threshold),
        Field(
            description="Binary only: probability from which a row counts as positive. A number between 0 and 1, or the metric "
            "by which evaluate chooses it on the eval rows: `f1`, `balanced_accuracy` or `accuracy`; absent: 0.5.",
        ),
    ] = None
    interval: Annotated[
        Real | None,
        Field(
            ge=0.5,
            le=0.999,
            description="Regression only: answers have an interval beside the prediction, `prediction_lower` to `prediction_upper`, in which "
            "this share of the rows lies. Fitted on the eval rows, measured on the test rows; absent: none.",
        ),
    ] = None
    optimize: OptionalOptimize = None
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
    replicas: Annotated[
        StrictInt, Field(ge=1, description="Number of servers; one more is started during a rollout.")
    ] = 1
    autoscaling: Annotated[Autoscaling | None, Field(description="Absent: the fixed number in `replicas`.")] = None
    resources: Resources = Resources()
    pool: Annotated[
        str, Field(description="Pool of the pools file whose nodes serve; empty: any node without taints, no GPU.")
    ] = ""
    engine: Annotated[
        StrictBool,
        Field(
            description="Seldon's orchestrator in front of the server. Without it status codes are the server's own, and a pod "
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
        Field(description="Absent: no log. Written with the keys AWS_* of the same Secret."),
    ] = None
    rollout: Annotated[
        RolloutMode,
        Field(
            description="How a new version takes over: `canary` by growing shares of the requests; `shadow` after it answered copies of them; "
            "`ab` after a test, stated beforehand, on the labels of a share of them. The last two also on a laptop."
        ),
    ] = "canary"
    canary: CanarySteps = CanarySteps()
    shadow: ShadowTest = ShadowTest()
    ab: Annotated[AbTest | None, Field(description="The test of `rollout: ab`.")] = None
    approve: OptionalApproval = None
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
            description="Largest body of a request in MiB, also after unpacking, and largest gRPC message; above: 413.",
        ),
    ] = 16
    max_rows: Annotated[
        StrictInt, Field(ge=1, le=1_000_000, description="Maximum rows of one request; above: 413.")
    ] = 10_000
    max_inputs: Annotated[
        StrictInt,
        Field(ge=1, le=100_000, description="Maximum inputs of one request; never below the number of features."),
    ] = 1_000
    max_name_bytes: Annotated[
        StrictInt,
        Field(
            ge=1, le=65_536, description="Maximum bytes of an input's name; never below the longest name of a feature."
        ),
    ] = 256
    max_id_bytes: Annotated[StrictInt, Field(ge=1, le=4_096, description="Maximum bytes of a request's id.")] = 128
    max_text_kb: Annotated[StrictInt, Field(ge=1, le=1_048_576, description="Maximum KiB of one text value.")] = 1_024
    max_header_kb: Annotated[
        StrictInt,
        Field(ge=4, le=1_024, description="Maximum KiB of a request's target and headers together; above: 431."),
    ] = 64
    wait_seconds: Annotated[
        Real, Field(gt=0, le=7200, description="Maximum time that each step of a rollout waits for its pods.")
    ] = 600.0

    @property
    def live_test(self) -> ShadowTest | AbTest | None:
        """The section of the mode, where a new version is tested on the requests of users; None: it is not, or has no section."""
        return {"canary": None, "shadow": self.shadow, "ab": self.ab}[self.rollout]


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
    """Return the command-line options of the server (components/serve/limits.py) for the limits that differ from their defaults.

    Defaults are left out, so that an update does not replace the pods of a project that sets none.
    """
    changed = {
        name: getattr(serve, name) for name in _LIMITS if getattr(serve, name) != Serve.model_fields[name].default
    }
    return [text for name, value in changed.items() for text in (_LIMITS[name], str(value))]
