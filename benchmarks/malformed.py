"""Requests that are wrong in ten thousand ways, every tenth of them right: what is refused, how, and that the right one is not.

Some are drawn at random from what JSON can say, shaped as far as a stranger may know it; the others are right requests, or
requests from the server's own description of its interface, with something changed in them; and each of `attacks.py` once, spread
over them. The same ones in every run.
"""

from __future__ import annotations

import copy
import http.client
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.attacks import attacks_on
from benchmarks.server_processes import Served
from benchmarks.workload import Workload
from components.deploy.targets.local.server_process import HOST

SEED = 7
_EVERY = 10
_KEPT = 20
_LEAKS = re.compile(
    rb"Traceback|File \\?\"|\.py\b|site-packages|/(?:usr|root|home|tmp|work|opt|mnt|var)/|"
    rb"\b(?:components|mlserver|tensorflow|numpy|pydantic|starlette|fastapi|uvicorn|orjson|h11|seldon_core)\.|"
    rb"\b[A-Z][A-Za-z]*(?:Error|Exception|Warning)\b|object at 0x"
)
"""What a stranger is not to learn: places, modules, names of exceptions."""

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**62, 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["", "FP32", "INT64", "BYTES", "nan", "../../etc/passwd", "\x00", "é" * 300, "{{7*7}}", "' OR 1=1 --"]
    ),
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
_DATATYPES = ["BOOL", "UINT8", "INT8", "INT64", "FP16", "FP32", "FP64", "BYTES", "STRING", "", None]


@dataclass
class Tried:
    """What was found.

    Attributes:
        tried: Requests.
        valid: Of them, right ones.
        by_status: All of them by status.
        wrong: Right ones answered wrongly, and answers that break the rules.
        examples: The first of those, to look at.
    """

    tried: int = 0
    valid: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def note(self, sent: Request, status: int, body: bytes, fault: str) -> None:
        """Count an answer, and keep the request when there is something wrong with it."""
        self.by_status[status] += 1
        if fault:
            self.wrong += 1
        if fault and len(self.examples) < _KEPT:
            shown = {"body": sent.body[:300].decode(errors="replace"), "answer": body[:300].decode(errors="replace")}
            self.examples.append({"fault": fault, "status": status, "method": sent.method, "path": sent.path, **shown})

    def add(self, other: Tried) -> Tried:
        """Of two servers together."""
        self.tried += other.tried
        self.valid += other.valid
        self.wrong += other.wrong
        self.by_status += other.by_status
        self.examples = [*self.examples, *other.examples][:_KEPT]
        return self

    def to_dict(self) -> dict[str, Any]:
        """As the results keep it."""
        statuses = {str(status): count for status, count in sorted(self.by_status.items())}
        record = {"malformed_tried": self.tried, "malformed_valid": self.valid, "malformed_wrong": self.wrong}
        return {**record, "malformed_by_status": statuses, "malformed_examples": self.examples}


@dataclass(frozen=True)
class Request:
    """One of them.

    Attributes:
        method: Of HTTP.
        path: Of HTTP.
        body: What is sent.
        headers: Of HTTP, beside its length.
    """

    method: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def try_malformed(served: Served, workload: Workload, count: int) -> Tried:
    """Send them, one after the other."""
    tried, protocol = Tried(), served.kind.protocol
    bodies, check = workload.bodies(protocol), workload.check(protocol)
    attacks = attacks_on(served, workload)
    count = max(count, 3 * len(attacks))
    places = {(place * count // len(attacks)) | 1: each for place, each in enumerate(attacks)}  # a right one follows
    connection = http.client.HTTPConnection(HOST, served.port, timeout=30)
    for number, request in enumerate(_requests(served, workload, count)):
        tried.tried += 1
        if attack := places.get(number):
            status, body = attack.send(served)
            is_right = status in attack.allowed and (status != 200 or check(0, status, body))
            fault = _fault(status, body) or ("" if is_right else "not what is allowed")
            tried.note(Request("POST", served.kind.path, attack.name.encode()), status, body, fault)
            continue
        valid = number % _EVERY == 0
        index = number // _EVERY % len(bodies)
        sent = Request("POST", served.kind.path, bodies[index]) if valid else request
        status, body = _send(connection, sent)
        tried.valid += valid
        is_wrong = valid and (status != 200 or not check(index, status, body))
        tried.note(sent, status, body, "wrong answer" if is_wrong else _fault(status, body))
    return tried


def _fault(status: int, body: bytes) -> str:
    if status == 0:
        return "no answer"
    if status >= 500 and status != 503:
        return "a fault of the server"
    found = _LEAKS.search(body)
    return f"tells {found[0].decode(errors='replace')!r}" if status >= 400 and found else ""


def _send(connection: http.client.HTTPConnection, request: Request) -> tuple[int, bytes]:
    for _ in range(2):  # a server may hang up after a request that it could not read
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
    return 0, b""


def _requests(served: Served, workload: Workload, count: int) -> Iterator[Request]:
    """The requested number: drawn ones and changed ones in turn."""
    dice = random.Random(SEED)
    is_v2 = served.kind.protocol == "v2"
    drawn = _draw(_v2_requests(workload) if is_v2 else _SELDON, count // 2 + 1)
    described = _described(served) if is_v2 else []
    bodies = workload.bodies(served.kind.protocol)
    for number in range(count):
        if number % 2 == 0:
            yield Request("POST", served.kind.path, drawn[number // 2 % len(drawn)])
        elif is_v2:
            yield _changed(served, workload, dice, described)
        else:
            yield _changed_seldon(served, bodies, dice)


_TABLE = st.fixed_dictionaries(
    {},
    optional={"names": st.lists(st.text(max_size=4) | _SCALARS, max_size=3) | _JSON, "ndarray": _JSON, "tensor": _JSON},
)
_SELDON = st.fixed_dictionaries(
    {}, optional={"jsonData": _JSON, "data": _TABLE | _JSON, "meta": _JSON, "strData": _JSON}
)


def _v2_requests(workload: Workload) -> st.SearchStrategy[dict[str, Any]]:
    """In the shape of a request as far as hypothesis likes."""
    names = [item["name"] for item in workload.requests[0]["inputs"]]
    tensor = st.fixed_dictionaries(
        {
            "name": st.sampled_from([*names, "", "x"]) | _JSON,
            "shape": st.lists(st.integers(-2, 3), max_size=3) | _JSON,
            "datatype": st.sampled_from(_DATATYPES) | _JSON,
            "data": st.lists(_SCALARS, max_size=3) | _JSON,
        },
        optional={"parameters": _JSON},
    )
    return st.fixed_dictionaries(
        {"inputs": st.lists(tensor | _JSON, max_size=len(names)) | _JSON},
        optional={"id": _JSON, "parameters": _JSON, "outputs": _JSON},
    )


def _draw(request: st.SearchStrategy[Any], count: int) -> list[bytes]:
    """Bodies drawn by hypothesis: requests, or anything else."""
    bodies: list[bytes] = []

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(request, _JSON).map(_written) | st.binary(max_size=40))
    def collect(body: bytes) -> None:
        bodies.append(body)

    collect()
    return bodies


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _described(served: Served) -> list[tuple[str, str]]:
    """Method and path of everything that the server offers, and of what MLServer offers and ours does not."""
    if "/v2/" not in served.kind.path:
        return [("POST", served.kind.path)]
    model, repository = "/v2/models/{model_name}", "/v2/repository/models/{model_name}"
    paths = ["/v2", "/v2/health/live", "/v2/health/ready", "/v2/docs", "/v2/docs/dataplane.json"]
    paths += [model, f"{model}/ready", f"{model}/versions/{{model_version}}", f"{model}/docs"]
    given = [f"{model}/{verb}" for verb in ("infer", "generate", "infer_stream", "versions/{model_version}/infer")]
    given += ["/v2/repository/index", f"{repository}/load", f"{repository}/unload"]
    return [*(("GET", path) for path in paths), *(("POST", path) for path in given)]


def _changed(served: Served, workload: Workload, dice: random.Random, described: list[tuple[str, str]]) -> Request:
    """A right request with one to three things changed, sometimes to another path that the server names."""
    request: Any = copy.deepcopy(dice.choice(workload.requests))
    for _ in range(dice.randint(1, 3)):
        request = _CHANGES[dice.randrange(len(_CHANGES))](request, dice)
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    body = _damage(body, dice) if dice.random() < 0.1 else body
    if dice.random() < 0.2:
        method, path = dice.choice(described)
        return Request(method, _filled(path, served, dice), b"" if method == "GET" else body)
    headers = {"Content-Type": "application/json"}
    if dice.random() < 0.1:
        headers = dice.choice(_HEADERS)
    return Request("POST", served.kind.path, body, headers)


def _changed_seldon(served: Served, bodies: list[bytes], dice: random.Random) -> Request:
    """A right request with one to three of its values changed, left out or added, or damaged."""
    body = dice.choice(bodies)
    if dice.random() < 0.2:
        body = _damage(body, dice)
    else:
        columns = json.loads(body)["jsonData"]
        for _ in range(dice.randint(1, 3)):
            name = dice.choice([*columns, "other", ""])
            if dice.random() < 0.2:
                columns.pop(name, None)
            else:
                columns[name] = copy.deepcopy(dice.choice(_VALUES))
        body = json.dumps({"jsonData": columns}).encode()
    headers = dice.choice(_HEADERS) if dice.random() < 0.1 else {"Content-Type": "application/json"}
    path = (
        dice.choice(["/predict", "/metadata", "/health/ping", "/send-feedback"])
        if dice.random() < 0.1
        else served.kind.path
    )
    return Request("POST", path, body, headers)


def _filled(path: str, served: Served, dice: random.Random) -> str:
    name = served.kind.path.split("/")[3]
    values = [name, "other", "%2e%2e", "%00", "a" * 300]
    return re.sub(r"\{[^}]*\}", lambda _: dice.choice(values), path)


_HEADERS = [
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    {"Content-Type": "application/json; charset=latin-1"},
    {"Content-Type": "multipart/form-data"},
    {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": "10"},
]
_VALUES: list[Any] = [None, True, "x", "", -1, 2**63, 1e308, 0.5, [], {}, [[1]], [None], {"a": 1}, "\x00", "9" * 50]


def _one(request: Any, dice: random.Random) -> dict[str, Any] | None:
    """One input, as far as it still is one."""
    inputs = request.get("inputs") if isinstance(request, dict) else None
    found = dice.choice(inputs) if isinstance(inputs, list) and inputs else None
    return found if isinstance(found, dict) else None


def _change_field(request: Any, dice: random.Random) -> Any:
    if item := _one(request, dice):
        item[dice.choice(["name", "shape", "datatype", "data", "parameters"])] = copy.deepcopy(dice.choice(_VALUES))
    return request


def _leave_out_field(request: Any, dice: random.Random) -> Any:
    if item := _one(request, dice):
        item.pop(dice.choice(list(item)), None) if item else None
    return request


def _change_value(request: Any, dice: random.Random) -> Any:
    if (item := _one(request, dice)) is not None:
        item["data"] = [copy.deepcopy(dice.choice(_VALUES))]
    return request


def _change_datatype(request: Any, dice: random.Random) -> Any:
    if (item := _one(request, dice)) is not None:
        item["datatype"] = dice.choice(_DATATYPES)
    return request


def _change_rows(request: Any, dice: random.Random) -> Any:
    item = _one(request, dice)
    if item is not None and isinstance(item.get("data"), list):
        item["data"] = item["data"] * dice.choice([0, 2, 3])
        item["shape"] = dice.choice([item.get("shape"), [len(item["data"])], [len(item["data"]), 1], [1, 1, 1]])
    return request


def _leave_out_input(request: Any, dice: random.Random) -> Any:
    if isinstance(request, dict) and isinstance(request.get("inputs"), list) and request["inputs"]:
        request["inputs"].pop(dice.randrange(len(request["inputs"])))
    return request


def _repeat_input(request: Any, dice: random.Random) -> Any:
    if (item := _one(request, dice)) is not None:
        request["inputs"].append(copy.deepcopy(item))
    return request


def _add_field(request: Any, dice: random.Random) -> Any:
    if isinstance(request, dict):
        name = dice.choice(["id", "parameters", "outputs", "inputs", "raw", "model_name"])
        request[name] = copy.deepcopy(dice.choice(_VALUES))
    return request


def _nest_deeply(request: Any, dice: random.Random) -> Any:
    depth = dice.choice([50, 900, 5_000])
    return b'{"inputs":' + b"[" * depth + b"]" * depth + b"}"


_CHANGES = [_change_field, _leave_out_field, _change_value, _change_datatype, _change_rows, _leave_out_input]
_CHANGES += [_repeat_input, _add_field, _nest_deeply, _change_value, _change_field]


def _damage(body: bytes, dice: random.Random) -> bytes:
    """Cut off, or with a byte of it changed."""
    at = dice.randrange(len(body)) if body else 0
    return body[:at] if dice.random() < 0.5 else body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
