"""A notice is sent once, again after a day while it lasts, and never ends what it tells about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from components._core.stage.run_record import Code, Data
from components._notices import outbox as outbox_module
from components._notices.channels import Channel
from components._notices.outbox import Notice, Outbox
from components.watch.records import History, Record, format_time
from components.watch.trigger_notices import find_ends, find_lasting
from pipelines.local.run_record import LocalRunRecord
from pipelines.local.run_state import StageState
from pipelines.notices.run_notices import send_end
from tests.components.watch.made import START, Log, check, hours, made_state, spans, window

NOTICE = Notice("k", "invariant", "p", "broken data", repeats=True)
DATA = {"name": "data", "new_data": {"settle": "0s"}}


class Inbox:
    """A channel that keeps what it gets, or takes nothing."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.refuses = False
        self.channel = Channel("address 1 (test)", self._send)

    def _send(self, _: str, notice: dict[str, Any]) -> None:
        if self.refuses:
            raise ConnectionRefusedError("the address is secret")
        self.got.append(notice)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def _outbox(store: Path, channels: Sequence[Channel]) -> tuple[Outbox, list[str]]:
    said: list[str] = []
    return Outbox(str(store), "p", channels, said.append), said


@pytest.mark.parametrize(("repeats", "sent"), [(True, 2), (False, 1)])
def test_it_is_sent_once_and_again_after_a_day_if_it_lasts(
    tmp_path: Path, inbox: Inbox, repeats: bool, sent: int
) -> None:
    for hour in (0, 1, 12, 23.9, 24, 25):
        outbox, _ = _outbox(tmp_path, [inbox.channel])  # another process each time
        outbox.send([replace(NOTICE, repeats=repeats)], START + hours(hour))
    assert len(inbox.got) == sent


def test_another_key_or_state_is_another_notice(tmp_path: Path, inbox: Inbox) -> None:
    outbox, _ = _outbox(tmp_path, [inbox.channel])
    outbox.send([NOTICE, NOTICE, replace(NOTICE, key="other"), replace(NOTICE, state="failed")], START)
    assert len(inbox.got) == 3


def test_one_that_nobody_took_is_sent_again_later(tmp_path: Path, inbox: Inbox) -> None:
    outbox, said = _outbox(tmp_path, [inbox.channel])
    inbox.refuses = True
    for minutes in (0, 1, 9):
        assert outbox.send([NOTICE], START + timedelta(minutes=minutes)) == 0
    assert said == ["a notice was not taken: address 1 (test): cannot be reached (ConnectionRefusedError)"]
    inbox.refuses = False
    assert outbox.send([NOTICE], START + timedelta(minutes=10)) == 1


def test_those_of_a_group_that_are_due_go_out_as_one(tmp_path: Path, inbox: Inbox) -> None:
    many = [replace(NOTICE, key=f"k{n}", title=f"broken {n}", group="invariant", facts={"n": n}) for n in range(50)]
    for hour in (0, 1):
        assert _outbox(tmp_path, [inbox.channel])[0].send(many[:49], START + hours(hour)) == (0 if hour else 49)
    _outbox(tmp_path, [inbox.channel])[0].send(many, START + hours(2))
    assert [notice["title"] for notice in inbox.got] == ["broken 0 and 48 more", "broken 49"]
    assert "also broken 48" in inbox.got[0]["text"] and inbox.got[0]["facts"]["all"][48] == {"n": 48}


def test_a_look_sends_no_more_after_a_while_and_the_next_one_goes_on(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, said = _outbox(tmp_path, [inbox.channel])
    monkeypatch.setattr(outbox_module, "_SECONDS_IN_ALL", 0.0)
    assert sent.send([NOTICE], START) == 0 and inbox.got == []
    monkeypatch.undo()
    assert sent.send([NOTICE], START) == 1 and said == []


def test_one_channel_that_takes_it_is_enough(tmp_path: Path, inbox: Inbox) -> None:
    broken = Inbox()
    broken.refuses = True
    outbox, said = _outbox(tmp_path, [broken.channel, inbox.channel])
    assert outbox.send([NOTICE], START) == 1 and len(said) == 1
    assert outbox.send([NOTICE], START + hours(1)) == 0


def test_without_channels_nothing_is_kept(tmp_path: Path) -> None:
    assert _outbox(tmp_path, [])[0].send([NOTICE], START) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_holds_no_address_and_a_store_that_is_away_ends_nothing(tmp_path: Path, inbox: Inbox) -> None:
    outbox, _ = _outbox(tmp_path, [inbox.channel])
    outbox.send([NOTICE], START)
    (kept,) = (tmp_path / "p" / "notices").iterdir()
    assert kept.name == "k-invariant.json" and "address" not in kept.read_text()
    kept.write_text("{")
    assert _outbox(tmp_path, [inbox.channel])[0].send([NOTICE], START) == 1
    (tmp_path / "file").write_text("")
    away, said = _outbox(tmp_path / "file", [inbox.channel])
    assert away.send([NOTICE], START) == 0
    assert said and said[0].startswith("a notice waits, because the store cannot be reached")


def test_broken_data_and_an_open_breaker_are_told_with_what_to_do(tmp_path: Path) -> None:
    log, state = (
        Log(),
        made_state(
            [DATA],
            section={"breaker": {"runs": 1}},
            sources={"data": spans("1")},
            champion="1",
            champion_spans=frozenset(),
        ),
    )
    claimed = log.tick(state, START)[-1]
    log.end(claimed, START - hours(30))
    broken = window(1, check("missing: hour", "fail", reason="9 % are missing"))
    state = replace(state, history=History(log.records), windows=[broken])
    found = {notice.state: notice for notice in find_lasting(state, tmp_path)}
    assert set(found) == {"invariant", "breaker"}
    assert "missing: hour: 9 % are missing" in found["invariant"].title and found["invariant"].link == "s/1.json"
    assert found["breaker"].command == f"naru triggers reset {tmp_path}"


@pytest.mark.parametrize(
    ("verdict", "promoted", "state"),
    [("succeeded", "7", "promoted"), ("succeeded", "", "ended"), ("failed", "", "failed"), ("killed", "", "failed")],
)
def test_the_end_of_a_run_is_told_with_its_cause(tmp_path: Path, verdict: str, promoted: str, state: str) -> None:
    log = Log()
    made = made_state([DATA], sources={"data": spans("1")})
    claimed = log.tick(made, START)[-1]
    log.append(
        [
            Record(
                "ended",
                format_time(START),
                decision=claimed.line,
                verdict=verdict,
                promoted=promoted,
                run="r",
                why="auc 0.9",
            )
        ]
    )
    (notice,) = find_ends("p", History(log.records), tmp_path, START, START - hours(1))
    assert notice.state == state and verdict in notice.title
    assert "cause: data (new or changed: 1)" in notice.text and "auc 0.9" in notice.text


def test_the_end_of_a_run_that_a_person_started_is_told_but_not_an_interruption(tmp_path: Path, inbox: Inbox) -> None:
    code, data = Code(), Data("t.csv")
    record = LocalRunRecord(
        "r", "p", "failed", "the table has no rows", False, "", {}, "by hand", data, code, None, {}, None,
        [StageState("ingest", "failed", state="failed")], 4, 1.0, 0.0, error={"remedy": "add rows"},
    )  # fmt: skip
    for status in ("failed", "interrupted"):
        send_end(replace(record, status=status), str(tmp_path), [inbox.channel], print)
    (notice,) = inbox.got
    assert notice["state"] == "failed" and notice["title"] == "p: run r failed, nothing promoted"
    assert notice["text"].splitlines()[1:] == ["stage: ingest", "cause: by hand", "the table has no rows", "add rows"]


def test_what_ended_while_nobody_looked_is_sent_and_what_ended_before_notices_were_on_is_not(
    tmp_path: Path, inbox: Inbox
) -> None:
    log = Log()
    for number, at in enumerate((START - hours(30), START + hours(2))):
        claimed = log.tick(made_state([DATA], sources={"data": spans(str(number))}), at)[-1]
        log.end(claimed, at)
    first, _ = _outbox(tmp_path, [inbox.channel])
    assert first.find_begin(START) == START - hours(24)
    later = START + hours(24 * 5)  # the watcher was killed before it sent, and nobody started it for five days
    for _ in range(2):
        outbox, _ = _outbox(tmp_path, [inbox.channel])
        outbox.send(find_ends("p", History(log.records), tmp_path, later, outbox.find_begin(later)), later)
    assert [notice["facts"]["run"] for notice in inbox.got] == [log.records[-1].run]


def test_a_version_that_waits_for_an_approval_is_told_with_the_next_command(tmp_path: Path, inbox: Inbox) -> None:
    record = LocalRunRecord(
        "r", "p", "succeeded", "waits for approval: version 3", False, "3", {}, "", Data("t.csv"), Code(), None, {}, None,
        [], 0, 1.0, 0.0, approve="naru approve 3 p --reason '...'",
    )  # fmt: skip
    send_end(record, str(tmp_path), [inbox.channel], print)
    log = Log()
    claimed = log.tick(made_state([DATA], sources={"data": spans("1")}), START)[-1]
    waits = Record("ended", format_time(START), decision=claimed.line, verdict="succeeded", run="r", why=record.reason)
    log.append([waits])
    outbox, _ = _outbox(tmp_path, [inbox.channel])
    outbox.send(find_ends("p", History(log.records), tmp_path, START, START), START)
    assert [(notice["state"], notice["command"]) for notice in inbox.got] == [
        ("approval", record.approve),
        ("approval", f"naru approvals {tmp_path}"),
    ]
    assert "version 3 waits for approval" in inbox.got[0]["title"] and "waits for approval" in inbox.got[1]["title"]
