"""Deploy on a cluster that plays its part: what is read from the environment and the store, and what becomes of the run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from components._cluster.kubernetes_client import Cluster
from components._core.errors import ConfigError, ServiceError
from components._core.examples.samples import Sample
from components._core.files import read_json, write_json
from components._core.project.approval_config import Approval
from components._core.report.page import Page
from components._core.settings import Settings
from components._core.store.approvals import open_approvals, read_requests
from components._core.store.ledger import Deployment, append_deployment, current_champion, read_deployments
from components._core.store.object_store import upload
from components._core.types.artifact_files import SAMPLE
from components._registry.mlflow_client import open_registry
from components.deploy.approval import roll_out_approved
from components.deploy.promotion import ChampionChangedError
from components.deploy.rollout.roll_out import fetch_sample, put_back
from components.deploy.rollout.state_machine import Result, State
from components.deploy.targets.contract import ModelVersion, RolloutTarget, Timing
from components.deploy.targets.placement import PLACEMENTS, Placement, dump_placements, load_placement
from components.deploy.targets.seldon.store_secret import read_secret_keys
from components.deploy.targets.table import find_target
from tests.components.deploy.conftest import Deploy
from tests.components.deploy.targets.seldon.made import GPU, project
from tests.components.tiny_models import tiny_project
from tests.kubernetes.api_server import ApiServer, serving
from tests.kubernetes.clock import Clock
from tests.kubernetes.starts import CrashLoops

OVERTAKER = Deployment("7", "elsewhere", "", "", {}, "", "run-0", "2026-01-01T00:00:00+00:00", "ada", "a rollback")
TARGET = cast(RolloutTarget, object())
SERVED = "/apis/machinelearning.seldon.io/v1/namespaces/naru-models/seldondeployments/tiny"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """A cluster whose clock a rollout moves by sleeping."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with serving(tmp_path / "config", Clock(0)) as held:
        held.put("/api/v1/namespaces/naru-models")
        held.put(
            "/api/v1/namespaces/naru-models/secrets/naru-models", data={"RCLONE_CONFIG_FILE_TYPE": "", "OTHER": ""}
        )
        quick = Timing(poll=1.0, now=held.clock.now, sleep=held.clock.advance)
        monkeypatch.setattr("components.deploy.targets.seldon.target.Timing", lambda: quick)
        yield held


@pytest.fixture
def on_cluster(
    deploy: Deploy, evaluation: Path, registration: Path, server: ApiServer, tmp_path: Path, monkeypatch: Any
) -> Deploy:
    """Deploy with NARU_SERVING=seldon; the model's address is one that a pod can reach, the store a folder."""
    monkeypatch.setenv("NARU_SERVING", "seldon")
    monkeypatch.setenv(PLACEMENTS, dump_placements({"v2": {"": Placement()}}))
    registered = read_json(registration / "registration.json")
    sample = Sample.load(evaluation / SAMPLE)
    constant = {name: np.full_like(values, 0.25) for name, values in sample.outputs.items()}
    Sample(sample.rows, constant).save(tmp_path / SAMPLE)
    upload(tmp_path / SAMPLE, registered["model"].rpartition("/")[0] + f"/{SAMPLE}")
    # the pods of the fake fetch nothing, and S3 is not what is tried here
    monkeypatch.setattr("components.deploy.targets.seldon.preflight._model_uris", lambda _: iter(()))
    client = open_registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_registered_model("tiny")
    client.create_model_version("tiny", registered["model"])
    return deploy


def test_a_version_that_proves_itself_on_the_cluster_becomes_the_champion(on_cluster: Deploy, tmp_path: Path) -> None:
    outcome = on_cluster()
    assert outcome.verdict == "ok" and outcome.reason == "version 1 serves"
    champion = current_champion(str(tmp_path / "store"), "tiny")
    assert champion is not None and champion.version == "1"
    record = read_json(tmp_path / "rollout" / "rollout.json")
    assert [change["action"] for change in record["changes"]] == ["start", "prove", "promote"]
    page = Page.load(tmp_path / "rollout")
    assert next(block for block in page.blocks if block.title == "Steps").content["rows"][2][1] == "promote"


def test_a_version_that_crashes_there_blocks_with_what_was_seen_and_the_run_is_green(
    on_cluster: Deploy, server: ApiServer, tmp_path: Path
) -> None:
    server.pods.set("1", CrashLoops("naru: serve: no model\n"))
    outcome = on_cluster()
    assert outcome.verdict == "blocked" and "CrashLoopBackOff" in outcome.reason and "\n" not in outcome.reason
    assert current_champion(str(tmp_path / "store"), "tiny") is None
    shown = next(block for block in Page.load(tmp_path / "rollout").blocks if block.title == "Observations")
    assert "last log lines:\n    naru: serve: no model" in shown.content
    assert "Observations" in (tmp_path / "report.html").read_text()


def test_a_version_that_was_not_compared_with_the_champion_of_now_touches_nothing_there(
    on_cluster: Deploy, server: ApiServer, tmp_path: Path
) -> None:
    append_deployment(str(tmp_path / "store"), "tiny", OVERTAKER)
    before = len(server.writes)
    outcome = on_cluster()
    assert outcome.verdict == "blocked"
    assert outcome.reason.startswith("champion changed since evaluate: it was none, and is version 7 (")
    assert len(server.writes) == before


def test_a_champion_that_changes_during_a_rollout_takes_the_version_back(
    on_cluster: Deploy, server: ApiServer, tmp_path: Path
) -> None:
    overtaken: list[str] = []

    def overtake() -> None:
        if not overtaken:
            overtaken.append(append_deployment(str(tmp_path / "store"), "tiny", OVERTAKER))

    server.clock.watchers.append(overtake)
    outcome = on_cluster()
    assert overtaken and outcome.verdict == "blocked" and "champion changed since evaluate" in outcome.reason
    record = read_json(tmp_path / "rollout" / "rollout.json")
    assert [change["action"] for change in record["changes"]][-1] == "roll back"
    assert [line.version for line in read_deployments(str(tmp_path / "store"), "tiny")] == ["7"]
    assert server.objects.get(SERVED) is None


def test_a_champion_that_changes_at_the_very_end_of_a_rollout_is_brought_back(
    on_cluster: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back: list[str] = []

    def overtaken(*_: Any) -> None:
        append_deployment(str(tmp_path / "store"), "tiny", OVERTAKER)
        raise ChampionChangedError("", current_champion(str(tmp_path / "store"), "tiny"), "evaluate", "run again")

    monkeypatch.setattr("components.deploy.into_service.promote", overtaken)
    monkeypatch.setattr(
        "components.deploy.into_service.put_back",
        lambda _project, _settings, now, *, target: back.append(now.version),
    )
    outcome = on_cluster()
    assert outcome.verdict == "blocked" and outcome.reason.endswith("; run again") and back == ["7"]


@pytest.mark.parametrize("state", [State.DONE, State.FAILED])
def test_a_champion_that_cannot_be_brought_back_is_an_error_that_says_what_is_served(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def roll_out(_project: Any, _settings: Any, model: ModelVersion, **_: Any) -> Result:
        checked.append(model.version)
        return Result(state, "it crashes")

    monkeypatch.setattr("components.deploy.rollout.roll_out.roll_out", roll_out)
    settings = Settings("store", "")
    if state is State.DONE:
        put_back(project(), settings, OVERTAKER, target=TARGET)
    else:
        with pytest.raises(ServiceError, match="version 7 is the champion, and another one is served: it crashes"):
            put_back(project(), settings, OVERTAKER, target=TARGET)
    put_back(project(), settings, None, target=TARGET)
    assert checked == ["7"], "where there is no champion any more there is nothing to bring back"


def test_what_the_pipeline_was_compiled_for_says_where_servers_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLACEMENTS, dump_placements({"v2": {"": Placement(), "gpu": GPU}}))
    assert load_placement(project(), "here") == Placement(namespace="here")
    chosen = load_placement(project(pool="gpu"), "here")
    assert (chosen.image, chosen.namespace, chosen.tolerations) == (GPU.image, "here", GPU.tolerations)
    with pytest.raises(ConfigError, match="unknown pool 'tpu'"):
        load_placement(project(pool="tpu"), "here")
    monkeypatch.delenv(PLACEMENTS)
    with pytest.raises(ConfigError, match="does not say where servers run") as error:
        load_placement(project(), "here")
    assert "naru apply" in error.value.remedy


def test_a_version_without_offline_answers_cannot_be_proved(tmp_path: Path) -> None:
    write_json(tmp_path / "model" / "signature.json", {})
    with pytest.raises(ServiceError, match="version 3 has no offline answers to be held against"):
        fetch_sample(ModelVersion("3", str(tmp_path / "model")))


def test_a_secret_is_known_by_its_keys(server: ApiServer) -> None:
    assert read_secret_keys(Cluster(), project(), "naru-models") == {"RCLONE_CONFIG_FILE_TYPE", "OTHER"}
    assert read_secret_keys(Cluster(), project(secret=""), "naru-models") is None
    with pytest.raises(ConfigError, match="there is no such Secret"):
        read_secret_keys(Cluster(), project(secret="other"), "naru-models")


def test_on_a_cluster_nothing_is_started_before_the_approval_and_the_rollout_goes_on_afterwards(
    on_cluster: Deploy, server: ApiServer, tmp_path: Path
) -> None:
    tiny = tiny_project()
    approving = tiny.model_copy(update={"serve": tiny.serve.model_copy(update={"approve": Approval()})})
    before = len(server.writes)
    outcome = on_cluster(project=approving)
    assert outcome.verdict == "skipped" and outcome.reason.startswith("waits for approval: version 1, until ")
    assert len(server.writes) == before and server.objects.get(SERVED) is None
    (request,) = read_requests(open_approvals(str(tmp_path / "store"), "tiny"))
    settings = Settings.from_environment()
    open_target = find_target(settings.serving)
    assert open_target is not None
    done = roll_out_approved(
        approving, settings, request, open_target, lambda: load_placement(approving, settings.namespace)
    )
    assert done.verdict == "ok" and server.objects.get(SERVED) is not None
    champion = current_champion(str(tmp_path / "store"), "tiny")
    assert champion is not None and (champion.version, champion.run) == ("1", "run-1")
