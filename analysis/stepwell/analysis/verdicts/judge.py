"""From windows to a verdict and its one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stepwell.analysis.thresholds import verdicts as limits
from stepwell.analysis.verdicts.effect import Effect, alternating, recorded, turns
from stepwell.analysis.verdicts.model import Ahead, Deeds, Verdict, Window
from stepwell.analysis.verdicts.on_the_whole import before_after
from stepwell.trace.format import duration, percent, plural, size

_ACTIONS = {"helped": "kept", "no effect": "rolled back", "hurt": "rolled back", "unknown": "kept"}

_HOW = {
    "alternating": "{} turns without acting, each against the turn with it beside it",
    "before and after": "{} independent windows without acting against all of the time with it; whatever else changed"
    " between them counts, too",
    "recorded": "equal shares of the same work in an earlier recording, {} independent ones, and by how much two runs"
    " usually differ; a storage that answered otherwise then counts, too",
}


_FEW = "too few windows to tell the effect"
_UNEVEN = "what was read without acting is too unlike the rest to tell the effect"


def judge(
    windows: Sequence[Window],
    deeds: Deeds,
    *,
    dataset: str = "",
    baseline: Sequence[Window] = (),
    baseline_trace: int | None = None,
    given_up: bool = False,
    tuned: str = "none",
    ahead: Ahead | None = None,
) -> Verdict:
    """Return the verdict on what was done.

    Args:
        windows: those measured, in order of time.
        deeds: what was done.
        dataset: the dataset's directory; empty for all data together.
        baseline: windows of a recording of the same work without acting, if there is one.
        baseline_trace: its number.
        given_up: acting was ended before the work was, for it did not pay.
        tuned: what became of other settings of mounts, as the action where nothing else was done.
        ahead: what limits the gain; None: no more than what was used, as the deeds say.
    """
    ahead = ahead or Ahead(deeds.used_bytes + deeds.late_bytes)
    # Where nothing was done, whatever differs is no effect of it.
    design, effect = _measured(windows, baseline, ahead) if deeds.requests else ("none", None)
    if uneven := effect is not None and _is_uneven(effect):
        design, effect = "none", None
    verdict = "unknown" if effect is None else conclude(effect)
    waited = sum(one.waited_ns for one in windows if one.acting)
    expected = None if effect is None else _expected(design, windows, baseline, ahead)
    done = deeds.requests > 0
    return Verdict(
        dataset=dataset,
        verdict=verdict,
        action=tuned if not done else "rolled back" if given_up else _ACTIONS[verdict],
        sentence=_sentence(deeds, waited, expected, effect, verdict, _UNEVEN if uneven else _FEW),
        because=_UNEVEN if uneven else _because(windows, design, effect),
        design=design,
        ratio=None if effect is None else effect.ratio,
        low=None if effect is None else effect.low,
        high=None if effect is None else effect.high,
        pairs=0 if effect is None else effect.pairs,
        waited_ns=waited,
        expected_ns=expected,
        baseline=baseline_trace if design == "recorded" else None,
        deeds=deeds,
        windows=tuple(windows),
    )


def conclude(effect: Effect) -> str:
    """Return what an effect is: helped, hurt, no effect, or unknown when the interval says neither."""
    if effect.low >= 1 and effect.ratio >= limits.MATTERS:
        return "helped"
    if effect.high < 1 and effect.ratio <= 1 / limits.MATTERS:
        return "hurt"
    if effect.low >= 1 / limits.SAME and effect.high <= limits.SAME:
        return "no effect"
    return "unknown"


def _disagree(waited: int, expected: int, effect: Effect | None, verdict: str) -> bool:
    """Return whether waiting says the opposite of what all time says, and neither is certain."""
    return verdict == "unknown" and effect is not None and (expected > waited) is not (effect.ratio > 1)


def _is_uneven(effect: Effect) -> bool:
    return conclude(effect) == "unknown" and effect.high > limits.UNEVEN * effect.low


def _measured(windows: Sequence[Window], baseline: Sequence[Window], ahead: Ahead) -> tuple[str, Effect | None]:
    """Return the best design that the windows allow, and the effect by it.

    A recording may be of another storage, or another day of it: where the run's own windows without acting tell an
    effect, too, the interval is what both leave possible.
    """
    whole = windows[:-1] if _is_rest(windows) else windows
    held, alone = recorded(baseline, windows) if baseline else None, before_after(whole, ahead)
    if held and alone:
        held = replace(held, low=min(held.low, alone.low), high=max(held.high, alone.high))
    tried = (("alternating", alternating(whole)), ("recorded", held), ("before and after", alone))
    return next(((name, effect) for name, effect in tried if effect is not None), ("none", None))


def _is_rest(windows: Sequence[Window]) -> bool:
    """Return whether the last window is far shorter than the one before it: then it is mostly the program's end."""
    return len(windows) > 1 and 2 * windows[-1].length_ns < windows[-2].length_ns


def _expected(design: str, windows: Sequence[Window], baseline: Sequence[Window], ahead: Ahead) -> int:
    """Return how long readers would have waited without acting, for what they read while acting."""
    if design == "alternating":
        pairs = turns(windows)
        exact = sum(off.waited_ns * on.bytes / off.bytes for off, on in pairs)
        covered = sum(on.bytes for _, on in pairs)
    else:
        off = baseline if design == "recorded" else [one for one in windows if not one.acting]
        exact, covered = float(sum(one.waited_ns for one in off)), sum(one.bytes for one in off)
    acting = [one for one in windows if one.acting]
    expected = exact * sum(one.bytes for one in acting) / max(covered, 1)
    if design == "before and after":  # no more can have been saved than by what was brought in
        waited = sum(one.waited_ns for one in acting)
        expected = min(expected, waited + ahead.most_saved_ns(exact / max(covered, 1)))
    return round(expected)


def _because(windows: Sequence[Window], design: str, effect: Effect | None) -> str:
    if effect is not None:
        return _HOW[design].format(effect.pairs)
    off = sum(1 for one in windows if not one.acting and one.bytes)
    on = sum(1 for one in windows if one.acting and one.bytes)
    waited = {one.acting for one in windows if one.waited_ns}
    unlike = "; nobody waited in those without, which say nothing of waiting, then" if waited == {True} else ""
    return (
        f"{plural(off, 'window')} without acting and {on:,} with it, in which something was read; it takes"
        f" {limits.PAIRS} turns of each, or {limits.SIDE} windows and {limits.BOTH_SIDES} in all{unlike}"
    )


def _sentence(
    deeds: Deeds, waited: int, expected: int | None, effect: Effect | None, verdict: str, unknown: str
) -> str:
    """Return the line that `stepwell run` ends with; it says `unknown` where there is no effect to tell."""
    if not deeds.requests:
        return f"read nothing ahead: {deeds.stopped or 'there was nothing to gain'}"
    what = plural(deeds.files, "file") if deeds.files > 1 else size(deeds.brought_bytes)
    used = percent(round(deeds.used_bytes / max(deeds.brought_bytes, 1), 2))
    parts = [f"prefetched {what} ahead, {used} used"]
    if expected is not None and not _disagree(waited, expected, effect, verdict):
        parts.append(f"reads waited {duration(waited)} instead of an expected {duration(expected)}")
    elif waited:
        parts.append(f"reads waited {duration(waited)} meanwhile")
    if effect is None:
        parts.append(unknown)
    else:
        word = {"unknown": "not certain, ", "helped": ""}.get(verdict, f"{verdict}, ")
        if verdict == "hurt" and expected is not None and waited < expected:
            word = "yet it hurt: with less waiting still less was read a second, "
        parts.append(f"{word}{effect.ratio:.3g}x [{effect.low:.3g}, {effect.high:.3g}]")
    if deeds.stopped:
        parts.append(f"stopped: {deeds.stopped}")
    return "; ".join(parts)
