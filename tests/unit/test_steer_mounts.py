"""Mounts that are mounted again while an engine reads ahead through them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.kernel.tool import wait_until

from stepwell.analysis.plans.mounts import Choice
from stepwell.steer import mounts
from stepwell.steer.held_mount import HeldMount
from stepwell.steer.mounts import MountTuning

CHOICE = Choice("", {"prefetch": 0})


class Held:
    """A mount that notes what the engine was told when it was set."""

    def __init__(self, tuning: MountTuning, *, again: bool) -> None:
        self.tuning, self.again = tuning, again
        self.held: list[bool] = []

    def mounts_again(self, _: Choice, *, wanted: bool) -> bool:
        return self.again and wanted

    def set(self, _: Choice, *, wanted: bool) -> None:
        assert wanted
        self.held.append(self.tuning.holds)


@pytest.fixture
def tuning(tmp_path: Path) -> Iterator[MountTuning]:
    made = MountTuning(tmp_path / "notes")
    yield made
    made.finish()


def being_set(tuning: MountTuning, held: Any) -> threading.Thread:
    setting = threading.Thread(target=lambda: tuning._set(cast(HeldMount, held), CHOICE, wanted=True))
    setting.start()
    return setting


def test_a_mount_is_mounted_again_once_the_engine_is_quiet(
    tuning: MountTuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "QUIET", 3600.0)
    tuning.quiet()  # of an earlier time
    held = Held(tuning, again=True)
    setting = being_set(tuning, held)
    wait_until(lambda: tuning.holds, "the engine is not held")
    assert (held.held, tuning.trying) == ([], True)
    tuning.quiet()
    setting.join()
    assert (held.held, tuning.holds, tuning.trying) == ([True], False, False)


def test_a_mount_is_mounted_again_although_requests_hang(tuning: MountTuning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "QUIET", 0.01)
    held = Held(tuning, again=True)
    being_set(tuning, held).join()
    assert (held.held, tuning.holds) == ([True], False)


def test_for_a_setting_of_the_kernel_nothing_is_held(tuning: MountTuning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "QUIET", 3600.0)
    held = Held(tuning, again=False)
    being_set(tuning, held).join()
    assert held.held == [False]


def test_when_the_program_has_ended_its_mounts_are_left_as_they_are(
    tuning: MountTuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "QUIET", 3600.0)
    held = Held(tuning, again=True)
    setting = being_set(tuning, held)
    wait_until(lambda: tuning.holds, "the engine is not held")
    tuning.finish()
    setting.join()
    being_set(tuning, held).join()
    assert held.held == []
