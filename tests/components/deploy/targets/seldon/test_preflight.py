"""Each mistake is one line: where, what was found, what is allowed, what to do.

The real webhook (1.17.1, by a dry run) refused what is under WEBHOOK too; of what is under OURS it was shown the weight of 0 and
the variable, and let both pass.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from components._core.errors import ConfigError
from components.deploy.targets.placement import Placement, check_log, describe_missing_gauges
from components.deploy.targets.seldon.manifest import Canary, render_deployment
from components.deploy.targets.seldon.preflight import check_deployment
from pipelines.cluster.cloud_identity import rclone_settings
from tests.components.deploy.targets.seldon.made import CANARY, STABLE, component, predictors, project, rendered

Change = Callable[[dict[str, Any]], Any]


def _twice(wanted: dict[str, Any]) -> None:
    predictors(wanted)[1]["name"] = predictors(wanted)[0]["name"]


def _shadows(wanted: dict[str, Any]) -> None:
    predictors(wanted)[1].update(shadow=True, traffic=0)
    predictors(wanted).append({**copy.deepcopy(predictors(wanted)[1]), "name": "m-1"})


def _second_node(wanted: dict[str, Any]) -> None:
    predictors(wanted)[0]["graph"]["children"] = [{**predictors(wanted)[0]["graph"]}]


WEBHOOK: dict[str, tuple[Change, str]] = {
    "protocol": (lambda o: o["spec"].update(protocol="v3"), r"spec\.protocol: found 'v3'; allowed: 'seldon', "),
    "transport": (lambda o: o["spec"].update(transport="http"), r"found 'http'; allowed: 'rest', 'grpc'"),
    "no predictor": (lambda o: o["spec"].update(predictors=[]), r"found none; allowed: one or more"),
    "a name twice": (_twice, r"found 'm-\w+' 2 times"),
    "a sum": (lambda o: predictors(o)[1].update(traffic=20), r"found 90 \+ 20 = 110; allowed: 100"),
    "one with a weight": (lambda o: predictors(o).pop(1), r"predictors\[0\]\.traffic: found 90; allowed: 100, or none"),
    "a shadow alone": (lambda o: (predictors(o).pop(), predictors(o)[0].update(shadow=True)), r"only a shadow"),
    "shadows": (_shadows, r"found 2 shadows; allowed: one at most"),
    "a node": (lambda o: predictors(o)[0]["graph"].update(name="x"), r"no container 'x'; allowed: one of 'flights'"),
    "an engine": (_second_node, r"no-engine and a graph of 2 nodes"),
}
OURS: dict[str, tuple[Change, str]] = {
    "nothing goes there": (lambda o: [one.update(traffic=w) for one, w in zip(predictors(o), (100, 0), strict=True)], r"predictors\[1\]\.traffic: found 0; allowed: 1 to 99 -> choose another weight, or remove"),
    "a min above max": (lambda o: component(o).update(hpaSpec={"minReplicas": 3, "maxReplicas": 2, "metricsv2": []}), r"minReplicas 3 above maxReplicas 2"),
    "a file of this machine": (lambda o: predictors(o)[0]["graph"].update(modelUri="file:///m"), r"'file:///m'; allowed: s3://"),
    "a typo": (lambda o: predictors(o)[0].update(trafic=90), r"trafic: unknown field"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", [*WEBHOOK, *OURS])
def test_a_violation_is_reported(mistake: str) -> None:
    change, message = {**WEBHOOK, **OURS}[mistake]
    wanted = copy.deepcopy(rendered(Canary(CANARY, 10)))
    change(wanted)
    with pytest.raises(ConfigError, match=message):
        check_deployment(wanted)


@pytest.mark.parametrize("name", ["MLSERVER_HTTP_PORT", "PREDICTIVE_UNIT_ID", "PREDICTOR_LABELS", "SELDON_X"])
def test_a_variable_that_the_operator_sets_is_refused(name: str) -> None:
    wanted = rendered()
    component(wanted)["spec"]["containers"][0]["env"] = [{"name": "MINE", "value": "1"}, {"name": name, "value": "1"}]
    with pytest.raises(ConfigError, match=f"container flights: found the variable {name}; .* would drop it"):
        check_deployment(wanted)


def test_a_shadow_beside_one_that_answers_is_well() -> None:
    wanted = rendered(Canary(CANARY, 10))
    predictors(wanted)[1].update(shadow=True, traffic=10)
    predictors(wanted)[0]["traffic"] = 100
    check_deployment(wanted)


def test_the_longest_name_that_fits_is_taken_and_one_letter_more_is_not() -> None:
    check_deployment(rendered(name="n" * 24))
    with pytest.raises(ConfigError, match=r"with 64 characters; allowed: 63 at most -> shorten .* by 1;"):
        check_deployment(rendered(name="n" * 25))


def test_all_violations_are_reported_at_once() -> None:
    wanted = rendered(Canary(CANARY, 10), name="n" * 30)
    predictors(wanted)[1]["traffic"] = 20
    with pytest.raises(ConfigError) as caught:
        check_deployment(wanted, secret_keys=[], missing=["s3://b/m/signature.json"])
    lines = str(caught.value).strip().splitlines()
    assert len(lines) == 1 + 5 and lines[0].startswith("SeldonDeployment nnn")
    assert all("found" in line and "allowed" in line and "->" in line for line in lines[1:])


def test_a_secret_whose_section_is_not_the_addresss_scheme_is_refused() -> None:
    check_deployment(rendered(), secret_keys=["RCLONE_CONFIG_S3_TYPE", "RCLONE_CONFIG_S3_ENDPOINT"])
    with pytest.raises(ConfigError, match=r"Secret naru-models: .*MINIO_TYPE'; allowed: RCLONE_CONFIG_S3_TYPE"):
        check_deployment(rendered(), secret_keys=["RCLONE_CONFIG_MINIO_TYPE"])


def test_a_model_in_google_cloud_storage_needs_a_section_of_that_name() -> None:
    wanted = rendered()
    predictors(wanted)[0]["graph"].update(modelUri="gs://naru/flights/models/3/artifacts/model")
    check_deployment(wanted, secret_keys=["RCLONE_CONFIG_GS_TYPE", "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS"])
    with pytest.raises(ConfigError, match=r"allowed: RCLONE_CONFIG_GS_TYPE among them"):
        check_deployment(wanted, secret_keys=["RCLONE_CONFIG_S3_TYPE"])


def test_a_folder_without_a_model_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"found no file s3://b/m/signature\.json; .* would silently copy an empty one"
    ):
        check_deployment(rendered(), missing=["s3://b/m/signature.json"])


def test_a_request_log_needs_keys_of_its_own_in_the_secret() -> None:
    wanted = rendered(request_log={"uri": "s3://logs/flights"})
    model = ["RCLONE_CONFIG_S3_TYPE"]
    check_deployment(wanted, secret_keys=[*model, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    check_deployment(rendered(), secret_keys=model)
    with pytest.raises(ConfigError, match=r"Secret naru-models: .* allowed: AWS_ACCESS_KEY_ID among them"):
        check_deployment(wanted, secret_keys=[*model, "AWS_SECRET_ACCESS_KEY"])


def test_a_request_log_that_a_pod_cannot_write_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--log: found '/flights/requests'; allowed: s3://bucket/folder"):
        check_deployment(rendered(request_log={}))


def test_the_key_of_the_logs_hashes_must_be_in_the_secret() -> None:
    log = {"uri": "s3://logs/flights", "mask": ["carrier"], "hash": ["carrier"]}
    keys = ["RCLONE_CONFIG_S3_TYPE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    check_deployment(rendered(request_log=log), secret_keys=[*keys, "NARU_LOG_KEY"])
    with pytest.raises(ConfigError, match=r"Secret naru-models: .* allowed: NARU_LOG_KEY among them"):
        check_deployment(rendered(request_log=log), secret_keys=keys)
    with pytest.raises(ConfigError, match=r"--log-hash: found no Secret; allowed: one with the key NARU_LOG_KEY"):
        check_deployment(rendered(request_log=log, secret=""))


def test_a_mask_that_names_no_feature_is_refused_where_the_features_are_known() -> None:
    wanted = rendered(request_log={"uri": "s3://logs/flights", "mask": ["month", "carier"]})
    check_deployment(wanted)
    with pytest.raises(ConfigError, match=r"--log-mask: found 'carier'; allowed: features: 'carrier', 'month'"):
        check_deployment(wanted, features=["month", "carrier"])


GOOGLE = Placement(store="gs://naru", reaches_google=True)


def test_a_request_log_in_google_cloud_storage_needs_the_key_that_rclone_has() -> None:
    wanted = render_deployment(project(request_log={}), STABLE, GOOGLE)
    predictors(wanted)[0]["graph"].update(modelUri="gs://naru/flights/models/3/artifacts/model")
    key = "RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS"
    check_deployment(wanted, secret_keys=["RCLONE_CONFIG_GS_TYPE", key])
    with pytest.raises(ConfigError, match=f"{key} among them"):
        check_deployment(wanted, secret_keys=["RCLONE_CONFIG_GS_TYPE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])


@pytest.mark.parametrize(
    ("protocol", "placed", "message"),
    [
        ("v2", Placement(store="gs://naru"), "not known to have the extra 'gcs', which the log gs://naru/flights/requests needs"),
        ("seldon", Placement(store="gs://naru"), "the servers of protocol 'seldon' write to S3 only"),
        ("v2", GOOGLE, ""),
        ("v2", Placement(store="s3://naru"), ""),
    ],
)  # fmt: skip
def test_a_log_that_the_servers_cannot_write_is_refused_with_what_it_needs(
    protocol: str, placed: Placement, message: str
) -> None:
    given = project(request_log={}, protocol=protocol)
    if not message:
        check_log(given, placed, placed.store)
        return
    with pytest.raises(ConfigError, match=message) as refused:
        check_log(given, placed, placed.store)
    assert "serve.request_log.uri" in refused.value.remedy
    check_log(project(request_log={"uri": "s3://logs/flights"}, protocol=protocol), placed, placed.store)
    check_log(project(protocol=protocol), placed, placed.store)


def test_gauges_that_the_servers_cannot_show_are_named() -> None:
    in_s3, nowhere = project(request_log={"uri": "s3://logs/flights"}), project()
    assert "no gauges of monitor and triggers" in describe_missing_gauges(in_s3, Placement(store="gs://n"), "gs://n")
    for given, placed in ((in_s3, GOOGLE), (nowhere, Placement(store="gs://n")), (in_s3, Placement(store="s3://n"))):
        assert describe_missing_gauges(given, placed, placed.store) == ""


def test_a_request_log_needs_no_keys_where_the_servers_have_a_cloud_identity() -> None:
    keys = rclone_settings("s3://naru", "eu-central-1")
    placed = Placement(store="s3://naru", account="naru-models")
    wanted = render_deployment(project(request_log={}), STABLE, placed)
    assert component(wanted)["spec"]["serviceAccountName"] == "naru-models"
    assert (
        component(wanted)["spec"]["automountServiceAccountToken"] is False
    )  # the token of Kubernetes, which nobody needs
    check_deployment(wanted, secret_keys=keys)
    assert "serviceAccountName" not in component(rendered())["spec"]
    with pytest.raises(ConfigError, match="AWS_ACCESS_KEY_ID among them"):
        check_deployment(render_deployment(project(request_log={}), STABLE, replace(placed, account="")), keys)
