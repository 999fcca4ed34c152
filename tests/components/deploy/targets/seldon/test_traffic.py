import pytest

from components.deploy.rollout.state_machine import describe_shares
from components.deploy.targets.seldon.traffic import hold_shares, render_service


@pytest.mark.parametrize(
    ("requested", "stable", "held"),
    [
        ([10, 50], 1, [(1, 50.0)]),
        ([10, 50], 2, [(1, 33.3), (2, 50.0)]),
        ([10, 50], 9, [(1, 10.0), (9, 50.0)]),
        ([5, 10, 25], 3, [(1, 25.0)]),
        ([90], 4, [(4, 50.0)]),
        ([], 3, []),
    ],
)
def test_a_share_is_a_ratio_of_servers_and_the_stable_version_keeps_its_own(
    requested: list[int], stable: int, held: list[tuple[int, float]]
) -> None:
    assert [(share.replicas, share.percent) for share in hold_shares(requested, stable)] == held


def test_a_mesh_holds_every_share_to_the_percent() -> None:
    assert [share.percent for share in hold_shares([5, 10, 25], 3, by_mesh=True)] == [5.0, 10.0, 25.0]


def test_what_cannot_be_held_is_said() -> None:
    held = hold_shares([10, 50], 2)
    assert describe_shares(held, 2) == "steps of 33.3 % (requested 10 %), 50 %: 1 beside 2, 2 beside 2 servers"
    assert describe_shares([], 2) == "all at once"


def test_the_service_names_one_version_or_all_of_the_project() -> None:
    alone, both = render_service("flights", "models", "m-1"), render_service("flights", "models")
    assert alone["spec"]["selector"] == {"naru/project": "flights", "naru/predictor": "m-1"}
    assert both["spec"]["selector"] == {"naru/project": "flights"}
    assert [port["port"] for port in both["spec"]["ports"]] == [8080, 8081]
