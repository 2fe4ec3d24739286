"""When `stepwell run` acts, and how long it leaves readers alone to see what that gains."""

from __future__ import annotations

SECOND_NS = 1_000_000_000

WINDOW_NS = SECOND_NS // 10
"""Length of a window without acting, in ns, and the least with it.  Default 0.1 s: several requests to storage of 20
ms, and as often as readers are looked at."""

FIRST_WINDOW_NS = WINDOW_NS // 4
"""Least length of the windows before anything was done, in ns; each lasts until something was read.  Default 25 ms:
three of them are six reads from a storage of 20 ms, in which a pattern shows; what is read meanwhile is fetched as it
would be alone, of a short run a large part."""

FIRST_WINDOWS = 3
"""Windows in which something is read before anything is done.  Default 3: the fewest that one side of a comparison has
(`verdicts.SIDE`), so that a run too short for turns is still told its effect."""

WINDOWS_WITHOUT = 4
"""Windows in which something is read that a turn without acting has.  Default 4: one that is
slow by chance is not half of it, and they take no more than half a second."""

LONGEST_WITHOUT_NS = 2 * SECOND_NS
"""Longest turn without acting, in ns, and longest time before it.  Default 2 s: who rests is not waited for."""

WINDOWS_ACTING = 8
"""Of how long a turn with acting has lasted, the next window is this part, but not below `WINDOW_NS`.  Default 8: short
turns have enough windows to be judged, and a turn of minutes has no more than fifty."""

ACTING_NS = 4 * SECOND_NS
"""First turns with acting, in ns.  Default 4 s: measuring then takes a fifth of the time, and five turns, the fewest
for a verdict by pairs (`verdicts.PAIRS`), 25 s; where it helps `CLEARLY`, less, and longer."""

WORSE = 1.1
"""Factor between the bytes a second of a turn without acting and of the one after it, from which on that is cut short.
Default 1.1: windows of 0.1 s vary by about as much, and a turn cut short for nothing costs half a second."""

CLEARLY = 2.0
"""Factor between the bytes a second of a turn with acting and of the one without after it, from which on the next turn
is twice as long before an effect is certain.  Default 2: each rest then costs half of its time or more."""

FILLING_NS = SECOND_NS
"""Time in ns before which a turn is not cut short if the last one with acting paid.  Default 1 s: what is brought in
comes to its reader a window later, which takes half a second with storage of 100 ms."""

HARM = 2.0
"""Factor as that of `WORSE` by which two turns in a row, both cut short, end acting at once.  Default 2: nothing that
harms so much is to be tried five times, as often as a verdict takes; by chance two turns are seldom so much worse."""

LONGEST_ACTING_NS = 256 * SECOND_NS
"""Longest turn with acting, in ns.  Default 256 s: a change is noticed within some minutes, and measuring takes
0.4 %."""

SETTLING_NS = SECOND_NS // 2
"""Time in ns after the end of acting that is not measured.  Default 0.5 s: what had been fetched is read meanwhile.
Readers who still live on it then (`LIVES_ON`) are left alone for longer, up to `LONGEST_WITHOUT_NS`."""

GAP = 16
"""Steps of a known order that are left to readers at first; twice as many each time when that was over before there
were `WINDOWS_WITHOUT`.  Default 16: a third of a second with storage of 20 ms, and one to two with 100 ms."""

MOST_GAP = 256
"""Steps that are left to readers at most.  Default 256: eight workers with storage of 20 ms take 0.6 s for them, and
batches of 32 for as many workers are as many."""

LIVES_ON = 0.25
"""Share of the bytes that readers get which the engine had brought in before, above which they are not yet without it.
Default 1/4: at twice as many, what is measured without would be half with it; of a window ahead of a reader nothing is
left after `SETTLING_NS`, of a set of files all."""

TOLD_NS = SECOND_NS // 4
"""Age in ns of a window from which on it is known whether the engine did anything in it.  Default 0.25 s: it tells its
status every 0.1 s, and readers are looked at as often."""

WINDOWS_ALONE = 53
"""Windows that are kept while the engine finds nothing to do, the latest of them.  Default 53: about 5 s, and more than
an effect needs."""

TUNING_NS = SECOND_NS * 6 // 10
"""Length in ns of a window in which a setting of block size and concurrency is tried.  Default 0.6 s: thirty requests
to storage of 20 ms, one after the other; a search takes 28 windows at the most, and with the rests 30 s."""

LEAST_BLOCK, MOST_BLOCK = 1 << 16, 1 << 22
"""Bytes of a request between which is tuned.  Default 64 KiB, half of what Linux reads ahead at most, and 4 MiB, the
largest that the engine asks for at once."""
