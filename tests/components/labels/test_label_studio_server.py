"""A Label Studio server, over HTTP: rows go there once, labels come back, refusals are named, and the token is in no message."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from components._core.errors import ConfigError, DataError, NaruError, ServiceError, UnavailableError
from components._labels import label_studio_server
from components._labels.exchange.contract import WorkItem
from components._labels.exchange.label_studio import LabelStudioFormat
from components._labels.label_studio_server import TOKEN, LabelStudio
from tests.components.labels.fake_label_studio import ACCESS, LEGACY, PERSONAL, FakeLabelStudio
from tests.components.labels.made import make_schema
from tests.http_servers import running

SCHEMA = make_schema(annotators_per_item=2, question="Good?")
ITEMS = [WorkItem(f"item-{place}", {"review": f"review {place}"}, {}) for place in range(3)]


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelStudio]:
    monkeypatch.setenv(TOKEN, LEGACY)
    with running(FakeLabelStudio()) as server:
        yield server


def _send(studio: FakeLabelStudio, items: list[WorkItem] = ITEMS) -> tuple[str, int]:
    return LabelStudio.at(studio.url).send_items(SCHEMA, ["review"], items)


def test_items_become_the_tasks_of_a_new_project(studio: FakeLabelStudio) -> None:
    page, added = _send(studio)

    (project,) = studio.projects
    assert (page, added) == (f"{studio.url}/projects/1/data", 3)
    assert (project["title"], project["maximum_annotations"]) == ("naru reviews v1", 2)
    assert '<Choice value="positive"/>' in project["label_config"]
    assert [task["data"]["naru_item"] for task in studio.tasks[1]] == ["item-0", "item-1", "item-2"]


def test_items_that_are_there_are_not_sent_again(studio: FakeLabelStudio) -> None:
    _send(studio, ITEMS[:2])

    assert _send(studio)[1] == 1
    assert (len(studio.projects), len(studio.tasks[1])) == (1, 3)


def test_the_project_is_found_among_others_on_a_later_page_and_the_oldest_of_two_counts(
    studio: FakeLabelStudio,
) -> None:
    _send(studio)
    for title in ("a", "b", "naru reviews v1", "c"):
        studio.projects.append({"id": len(studio.projects) + 1, "title": title, "label_config": ""})

    assert _send(studio)[1] == 0
    assert len(studio.projects) == 5


def test_labels_come_back_with_their_annotators(studio: FakeLabelStudio) -> None:
    _send(studio)
    studio.annotate("positive", "ann@x.de")
    studio.annotate("negative", "bob@x.de")

    found = LabelStudioFormat().read(LabelStudio.at(studio.url).read_labels(SCHEMA), "there", SCHEMA)

    assert {(each.item, each.annotator, each.label) for each in found.labels} == {
        (item.id, name, label) for item in ITEMS for name, label in (("ann@x.de", "positive"), ("bob@x.de", "negative"))
    }
    assert found.labels[0].time == "2026-11-30T10:00:00.123+00:00"


def test_a_personal_token_is_exchanged_once_for_a_short_lived_one(
    studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, PERSONAL)
    _send(studio)

    kinds = [kind for _, _, kind in studio.requests]
    assert kinds == ["", *["Bearer"] * (len(kinds) - 1)]


def test_a_short_lived_token_that_has_ended_is_renewed(
    studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, PERSONAL)
    server = LabelStudio.at(studio.url)
    server.send_items(SCHEMA, ["review"], ITEMS)
    studio.broken = [(401, b"")]

    assert json.loads(server.read_labels(SCHEMA))


def test_people_that_the_token_may_not_see_have_no_names(studio: FakeLabelStudio) -> None:
    studio.broken = [(403, b"")]

    assert LabelStudio.at(studio.url).read_people() == {}


def test_many_tasks_go_in_several_requests(studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_studio_server, "_TASKS", 2)
    _send(studio)

    assert [path for _, path, _ in studio.requests].count("/api/projects/1/import") == 2
    assert len(studio.tasks[1]) == 3


def test_a_server_that_fails_in_passing_is_asked_again(studio: FakeLabelStudio) -> None:
    _send(studio)
    studio.broken = [(503, b""), (502, b"")]

    assert json.loads(LabelStudio.at(studio.url).read_labels(SCHEMA))


@pytest.mark.parametrize(
    ("broken", "error", "message"),
    [
        ((401, b'{"detail": "Invalid token 0123456789abcdef"}'), ConfigError, "is not valid there (HTTP 401)"),
        ((403, b""), ConfigError, "may not do this there (HTTP 403)"),
        ((302, b""), ConfigError, "answers with a redirect (HTTP 302)"),
        ((404, b"<html>no such page"), ServiceError, "HTTP 404\n  -> is this the address of Label Studio?"),
        ((500, b"{it broke, 0123456789abcdef \x00\x1b[31m"), ServiceError, "HTTP 500 {it broke, ***"),
        ((200, b"<html>"), DataError, "is not JSON"),
        ((200, b"[]"), ServiceError, "does not answer as Label Studio does"),
        ((200, b"x" * ((8 << 20) + 1)), ServiceError, "answers with more than the 8 MB that are allowed"),
    ],
)
def test_what_is_not_right_is_named_without_the_token(
    studio: FakeLabelStudio, broken: tuple[int, bytes], error: type[NaruError], message: str
) -> None:
    studio.broken = [broken]

    with pytest.raises(error) as raised:
        LabelStudio.at(studio.url).read_labels(SCHEMA)
    assert message in str(raised.value)
    assert LEGACY not in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_refused_import_is_not_repeated(studio: FakeLabelStudio) -> None:
    _send(studio, [])
    before = len(studio.requests)
    studio.broken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelStudio, "_find_project", lambda *_: 7)
        patch.setattr(LabelStudio, "_read_tasks", lambda *_: [])
        with pytest.raises(ServiceError, match="HTTP 404"):
            _send(studio)
    assert len(studio.requests) == before + 1


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, LEGACY)
    with running(FakeLabelStudio()) as server:
        url = server.url

    with pytest.raises(UnavailableError, match="Label Studio does not answer") as raised:
        LabelStudio.at(url).read_labels(SCHEMA)
    assert LEGACY not in str(raised.value)


def test_a_project_there_without_the_classes_of_the_schema_is_named(studio: FakeLabelStudio) -> None:
    _send(studio)
    studio.projects[0]["label_config"] = '<View><Choices><Choice value="negative"/></Choices></View>'

    with pytest.raises(ConfigError, match="does not offer the class 'positive'"):
        _send(studio)


def test_labels_of_a_project_that_is_not_there_are_told_how_to_send_rows(studio: FakeLabelStudio) -> None:
    with pytest.raises(ConfigError, match="has no project 'naru reviews v1'"):
        LabelStudio.at(studio.url).read_labels(SCHEMA)


@pytest.mark.parametrize(
    ("url", "token", "message"),
    [
        ("labels.example.com", LEGACY, "is not the address of a server"),
        ("ftp://labels.example.com", LEGACY, "is not the address of a server"),
        ("http://h:99999", LEGACY, "is not the address of a server"),
        ("https://me:secret@labels.example.com", LEGACY, "holds"),
        ("https://labels.example.com", "", f"environment variable {TOKEN}: is not set"),
        ("https://labels.example.com", "a b", "is not a token"),
    ],
)
def test_an_address_or_token_that_cannot_be_right_is_refused_before_a_request(
    monkeypatch: pytest.MonkeyPatch, url: str, token: str, message: str
) -> None:
    monkeypatch.setenv(TOKEN, token)

    with pytest.raises(ConfigError) as raised:
        LabelStudio.at(url)
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_token_is_in_no_representation(studio: FakeLabelStudio) -> None:
    server = LabelStudio.at(studio.url)

    assert LEGACY not in repr(server)
    assert ACCESS not in repr(server)


def test_no_token_is_in_a_refusal_that_repeats_it(studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, PERSONAL)
    server = LabelStudio.at(studio.url)
    server.send_items(SCHEMA, ["review"], ITEMS)
    studio.broken = [(400, b"{" + b"x" * 290 + PERSONAL.encode() + b" " + ACCESS.encode())]

    with pytest.raises(ServiceError) as raised:
        server.read_labels(SCHEMA)
    assert not any(secret[:6] in str(raised.value) for secret in (PERSONAL, ACCESS))
    studio.broken = [(400, json.dumps({"detail": f"Authorization: Bearer {ACCESS}"}).encode())]
    with pytest.raises(ServiceError, match=r"Bearer \*\*\*"):
        server.read_labels(SCHEMA)
