"""A recording that is steered goes on whatever happens to the steering."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.recordings import MS, T0, Recording

from stepwell.analysis.plans import Budget, Plan
from stepwell.analysis.plans.model import VERSION
from stepwell.cli.steering import Steering
from stepwell.prefetch import protocol
from stepwell.prefetch.errors import PrefetchError
from stepwell.prefetch.protocol import Asked, Mode, Root, Status, Totals
from stepwell.steer import Engine, Session
from stepwell.steer.feed import LARGE, LONG_NS, Feed
from stepwell.steer.meter import Meter
from stepwell.steer.session import INTERVAL, SHORT_INTERVAL, _progress
from stepwell.steer.turns import Turns
from stepwell.trace.definition import RUN
from stepwell.trace.layout import DTYPES


class Recorder:
    """A collector with no open runs, or one that breaks."""

    def __init__(self, error: Exception | None = None, calls: np.ndarray[Any, Any] | None = None) -> None:
        self.error = error
        self._calls = np.zeros(0) if calls is None else calls

    def calls(self) -> np.ndarray[Any, Any]:
        return self._calls

    def open_runs(self) -> np.ndarray[Any, np.dtype[np.void]]:
        if self.error:
            raise self.error
        return np.zeros(0, DTYPES[RUN.kind])

    def catch_up(self) -> None:
        pass


def read(tmp_path: Path) -> Path:
    """Return the spool file of 17 reads."""
    recording = Recording(tmp_path / "one.spool")
    recording.thread(1)
    recording.open(1, b"/nowhere/data/f")
    recording.run(1, at=np.arange(17) * MS, offset=np.arange(17) * 4096, wait_ns=MS)
    recording.end(0)
    return recording.path


@pytest.fixture
def session(tmp_path: Path) -> Session:
    made = Session(Engine(), Feed(0), Plan(VERSION, "auto", Budget(1 << 20, 8), ()))
    made.begin(read(tmp_path), T0)
    return made


@pytest.mark.parametrize("error", [OSError(5, "broken"), ValueError("odd"), KeyError()])
def test_whatever_breaks_while_looking_ends_acting_alone(session: Session, error: Exception) -> None:
    session.tick(Recorder(error))
    session.tick(Recorder())
    outcome = session.finish()
    assert outcome.failed
    assert outcome.deeds.requests == 0
    assert outcome.deeds.stopped
    assert outcome.windows == ()
    assert session.done().targets == ()


def test_what_is_read_before_the_engine_ends_is_measured(session: Session) -> None:
    session.end(T0 + 1009 * MS)
    outcome = session.finish()
    assert not outcome.failed
    assert [window.bytes for window in outcome.windows] == [17 * 4096]
    assert [window.waited_ns for window in outcome.windows] == [17 * MS]


def test_who_opens_files_is_looked_at_sooner_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.steer.session.FIRST_LOOKS", 0)
    monkeypatch.setattr("stepwell.steer.meter.LULL_NS", 1 << 62)  # it has waited for all time
    session.tick(Recorder())
    assert session.interval == SHORT_INTERVAL
    session.tick(Recorder())  # it reads the file that it has
    assert session.interval == INTERVAL
    session.finish()


def test_what_was_brought_into_the_store_by_another_command_meanwhile_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell.steer.session.own_namespace", lambda: 0)
    path = read(tmp_path)
    steering = Steering(Engine(), Plan(VERSION, "auto", Budget(1 << 20, 8), ()), (), [], None, tune_mounts=False)
    steering.begin(path, T0)
    path.unlink()
    steering.prepare()
    steering.end(T0 + 1009 * MS)
    outcome = steering.finish()
    assert outcome is not None
    assert not outcome.failed
    assert [window.bytes for window in outcome.windows] == [17 * 4096]


def test_a_spool_file_that_cannot_be_followed_ends_acting_alone(session: Session, tmp_path: Path) -> None:
    session.begin(tmp_path / "none.spool", T0)
    session.end(T0 + 1009 * MS)
    outcome = session.finish()
    assert outcome.failed
    assert "none.spool" in outcome.deeds.stopped


def test_that_it_rested_in_the_end_is_no_reason_why_nothing_was_done(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Turns, "acted", True)
    assert session.finish().deeds.stopped == ""


def test_readers_begin_with_the_first_of_their_reads() -> None:
    meter = Meter()
    assert (meter.began_ns, _progress(7, 0, meter, None).began_ns) == (None, 7)
    for start_ns in (11, 5):
        runs = np.zeros(1, DTYPES[RUN.kind])
        runs["start_ns"], runs["count"] = start_ns, 1
        meter.ended(runs)
    assert _progress(17, 3, meter, None).began_ns == 8


class Mounts:
    """Mounts of which one is set otherwise when they are seen."""

    trying = holds = False
    action = "rolled back"
    settings: tuple[object, ...] = ()
    changes = 0

    def __init__(self) -> None:
        self.settled: list[bool] = []
        self.held = False

    def see(self, *_: object, settled: bool) -> None:
        self.changes += 1
        self.settled.append(settled)

    def quiet(self) -> None:
        self.held = True

    def finish(self) -> None:
        pass


def test_after_a_mount_was_set_otherwise_alone_its_roots_are_looked_at_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(Engine, "tell", lambda _, messages: told.extend(messages))
    monkeypatch.setattr(session, "_mounts", Mounts())
    session.tick(Recorder())
    first = [message for message in told if isinstance(message, Root)]
    assert [root.path for root in first] == ["/nowhere/data"]
    told.clear()
    session.tick(Recorder())
    assert [message for message in told if isinstance(message, Root)] == [replace(first[0], remounted=True)]
    told.clear()
    monkeypatch.setattr(session, "_mounts", None)
    session.tick(Recorder())
    monkeypatch.setattr(session._tuning, "step", lambda *_, **__: True)
    session.tick(Recorder())
    # The mount is no longer the one that was set otherwise just now: another block size is no reason to look again.
    assert [message for message in told if isinstance(message, Root)][-1:] == first
    session.tick(Recorder())
    session.finish()


def test_while_a_mount_is_tried_the_engine_acts_on_and_afterwards_it_is_measured_anew(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted: list[bool] = []
    mounts = Mounts()
    mounts.trying = True
    monkeypatch.setattr(session, "_mounts", mounts)
    monkeypatch.setattr(session, "_turns", turns := Turns(known=True))
    monkeypatch.setattr(turns, "restart", lambda _: restarted.append(mounts.trying))
    for _ in range(3):
        session.tick(Recorder())
        assert (turns.acting, turns.windows, restarted) == (True, [], [])
    mounts.trying = False
    monkeypatch.setattr(mounts, "see", lambda *_, **__: None)
    session.tick(Recorder())
    session.tick(Recorder())
    assert restarted == [False]
    session.finish()


def test_while_a_mount_is_mounted_again_the_engine_asks_for_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(Engine, "tell", lambda _, messages: told.extend(messages))
    monkeypatch.setattr(Turns, "acting", True)
    monkeypatch.setattr(session, "_mounts", mounts := Mounts())
    session.tick(Recorder())
    busy = Status(0, "watching", "", 3, 0, 0, protocol.Budget(), Totals())
    for state in (replace(busy, state="acting"), busy, replace(busy, state="acting", in_flight=0)):
        mounts.holds = True
        monkeypatch.setattr(session._engine, "status", state)
        session.tick(Recorder())
        assert not mounts.held
    assert [message for message in told if isinstance(message, Mode)] == [Mode(act=True), Mode(act=False)]
    monkeypatch.setattr(session._engine, "status", replace(busy, in_flight=0))
    session.tick(Recorder())
    assert mounts.held
    mounts.holds = False
    session.tick(Recorder())
    modes = [message for message in told if isinstance(message, Mode)]
    assert modes == [Mode(act=True), Mode(act=False), Mode(act=True)]
    session.finish()


def test_mounts_are_told_when_the_engine_will_not_act_any_more(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_mounts", mounts := Mounts())
    session.tick(Recorder())
    session._turns.reason = "it made no difference"
    session.tick(Recorder())
    outcome = session.finish()
    assert mounts.settled == [False, True]
    assert outcome.tuned == "rolled back"


def test_while_a_call_takes_long_the_engine_acts_and_nothing_is_measured(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(Engine, "tell", lambda _, messages: told.extend(messages))
    start_ns = time.monotonic_ns() - LONG_NS
    calls = np.array([(start_ns, 1, 4096, LARGE)], [(name, "u8") for name in ("start_ns", "open", "offset", "bytes")])
    for _ in range(2):
        session.tick(Recorder(calls=calls))
    asked = Asked("/nowhere/data/f", 4096, LARGE, "1001")
    kinds = (Mode, Asked)
    assert [one for one in told if isinstance(one, kinds)] == [asked, Mode(act=True), asked]
    session._feed.meter.octets += LARGE  # the call has ended
    session.tick(Recorder())
    assert session._turns.windows == []
    session._turns.end(session._last)
    assert session._turns.windows == []
    assert told[-1] == Mode(act=False)
    told.clear()
    session._turns.reason = "it made no difference"
    session.tick(Recorder(calls=calls))
    assert [one for one in told if isinstance(one, kinds)] == [asked]
    session.finish()


@pytest.mark.parametrize(("looks", "octets", "answered", "made"), [(1, 0, 0, 0), (3, 4096, 0, 1), (1, 0, 5, 5)])
def test_looks_at_files_are_no_deeds(looks: int, octets: int, answered: int, made: int) -> None:
    status = Status(1, "acting", "", looks, octets, 0, protocol.Budget(), Totals(requests=answered))
    assert _progress(7, 0, Meter(), status).requests == made


def test_an_engine_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(PrefetchError, match="cannot be started"):
        Engine()
