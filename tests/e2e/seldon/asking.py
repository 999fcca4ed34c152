"""A pod that asks the model without a pause, a new connection for each request, and prints what came; and what it printed, read."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from components._cluster.kubernetes_client import Cluster

NAME = "asker"
# its own words only: it runs in the server's image, without this repository
_PROGRAM = textwrap.dedent(
    """
    import http.client, json, os, time
    from datetime import datetime, timezone
    rows = json.loads(os.environ["ROWS"])
    number = 0
    while True:
        row = number % len(rows)
        entry = {"at": datetime.now(timezone.utc).isoformat(), "row": row}
        try:
            connection = http.client.HTTPConnection(os.environ["SERVICE"], 8080, timeout=20)
            connection.request("POST", os.environ["ASK"], json.dumps(rows[row]), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            entry["status"] = answer.status
            entry["version"] = body.get("model_version")
            entry["value"] = body["outputs"][0]["data"][0] if answer.status == 200 else str(body)[:200]
        except Exception as error:
            entry["status"], entry["value"] = 0, f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        print(json.dumps(entry), flush=True)
        number += 1
        time.sleep(float(os.environ["PAUSE"]))
    """
)


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        at: When it was sent.
        row: Which of the rows.
        status: Of the answer; 0: there was none.
        version: Who answered.
        value: What, or why not.
    """

    at: datetime
    row: int
    status: int
    version: str
    value: Any


def render_asker(
    namespace: str, model: str, rows: Sequence[dict[str, Any]], pause: float = 0.05, service: str = ""
) -> dict[str, Any]:
    """The pod.

    Args:
        namespace: Its namespace.
        model: Name of the model.
        rows: The requests, sent in turn, again and again.
        pause: Seconds between an answer and the next request.
        service: Host name of the model's Service as it is found from there; empty: the model's name, in the same namespace.
    """
    variables = {
        "ROWS": json.dumps(rows),
        "SERVICE": service or model,
        "ASK": f"/v2/models/{model}/infer",
        "PAUSE": str(pause),
    }
    container = {
        "name": NAME,
        "image": "naru-server:python3.12",
        "command": ["python3", "-c", _PROGRAM],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"containers": [container], "restartPolicy": "Always", "terminationGracePeriodSeconds": 0},
    }


def read_asked(cluster: Cluster, namespace: str, since: str = "") -> list[Asked]:
    """Everything that it printed, but what it asked before `since` (ISO 8601)."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "namespace": namespace}}
    lines = cluster.read_log(pod, NAME, 1_000_000).splitlines()
    raw = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    found = [
        Asked(datetime.fromisoformat(one["at"]), one["row"], one["status"], one.get("version") or "", one["value"])
        for one in raw
    ]
    return [one for one in found if not since or one.at >= datetime.fromisoformat(since)]


def share_of(version: str, asked: Iterable[Asked]) -> float:
    """Percent of the answers that came from it."""
    answered = [one for one in asked if one.status == 200]
    return 100 * sum(one.version == version for one in answered) / max(1, len(answered))


def wrong(asked: Iterable[Asked], expected: Mapping[str, Any], bound: float = 1e-5) -> list[Asked]:
    """Answers that are not what the version that gave them says offline, or of a version that is not expected.

    Args:
        asked: The requests.
        expected: What each version answers offline to each of the rows, as a vector.
        bound: Largest difference of two equal answers.
    """
    return [
        one
        for one in asked
        if one.status == 200
        and not (one.version in expected and np.isclose(one.value, expected[one.version][one.row], rtol=0, atol=bound))
    ]


def lost(asked: Iterable[Asked]) -> list[Asked]:
    return [one for one in asked if one.status != 200]
