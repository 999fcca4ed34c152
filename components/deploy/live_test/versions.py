"""What a live test needs to know of its two versions: what they take and give, and from which probability a row is positive."""

from __future__ import annotations

import json
from collections.abc import Sequence

from components._core.errors import ServiceError
from components._core.store.ledger import Deployment
from components._core.store.model_files import read_model_file
from components._core.types.artifact_files import REFERENCE, SIGNATURE
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components.deploy.live_test.contract import TestedVersion


def read_version(line: Deployment) -> TestedVersion:
    """Read it from the store.

    Args:
        line: The line of the deployment ledger that the version has, or will get.

    Raises:
        ModelError: When a file is not the registered one.
        ServiceError: When one is missing or damaged.
        UnavailableError: When the store does not answer.
    """
    try:
        signature = Signature.from_json(json.loads(read_model_file(line, SIGNATURE) or b""))
        threshold = json.loads(read_model_file(line, REFERENCE) or b"{}").get("threshold")
        task = TASKS[signature.task].with_threshold(None if threshold is None else float(threshold))
    except (ValueError, LookupError, TypeError, AttributeError):
        remedy = "restore it, or train again"
        raise ServiceError(
            "the signature of a version is damaged or missing", where=line.model, remedy=remedy
        ) from None
    return TestedVersion(line.version, signature, task)


def find_mismatch(champion: Signature, challenger: Signature) -> str:
    """Return why a version cannot answer the requests of the champion as the champion does; empty when it can.

    Args:
        champion: What the champion takes.
        challenger: What the version takes.
    """
    if champion.task != challenger.task:
        return f"the champion's task is {champion.task}, the new version's {challenger.task}"
    lacking = [name for name in champion.outputs if name not in challenger.outputs]
    if lacking:
        return f"the new version does not answer with {_listed(lacking)}, as the champion does; set serve.rollout: canary to bring it in without a live test"
    types = {feature.name: feature.type for feature in champion.inputs}
    missing = [each.name for each in challenger.inputs if each.name not in types and not each.nullable]
    if missing:
        return f"the new version needs {_listed(missing)}, which requests to the champion do not have"
    known = [each for each in challenger.inputs if each.name in types]
    other = [each.name for each in known if types[each.name].oip not in each.type.oip_accepted]
    return f"{_listed(other)} has another type in the new version" if other else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
