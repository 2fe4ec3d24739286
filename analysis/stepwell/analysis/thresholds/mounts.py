"""When a mount is set otherwise while it is read, and to what."""

from __future__ import annotations

SECOND_NS = 1_000_000_000

ENOUGH = 8
"""Accesses of a mount's readers from which on their way of reading is told.  Default 8: as many as the prefetch engine
needs to follow a head (`plans.DETECTED`); what is changed on so little is tried, and undone where it does not pay."""

MOST_OF = 0.9
"""Share of the accesses that must be of one kind.  Default 0.9: what helps one kind harms the other."""

READ_AHEAD_KB = 16_384
"""KiB that the kernel reads ahead along files.  Default 16 MiB: 90 MiB/s for 100 ms, and as much again on its way."""

CLIENT_READ_AHEAD_KB = 4096
"""The same where the mount's client reads ahead, too.  Default 4 MiB: the kernel's has only to hide the way to the
client, and more of it means that what the client has in memory is copied at once rather than when it is read (JuiceFS
at 20 ms: 1.0 to 1.16 GiB/s with 1 or 4 MiB, 0.78 with 16, 0.9 with the usual 128 KiB)."""

BACKGROUND = 128
"""Requests of read-ahead under way at once.  Default 128: `READ_AHEAD_KB` in requests of 128 KiB (FUSE's max_pages is
32 by default, fs/fuse/fuse_i.h, and more where a client asked for it)."""

WINDOW_NS = SECOND_NS
"""Length of a window of a trial, in ns.  Default 1 s: fifty requests to storage of 20 ms, one after the other."""

SETTLING_NS = SECOND_NS // 2
"""Time after a change that is not measured, in ns.  Default 0.5 s: what was under way is read meanwhile."""

LONGEST_NS = 20 * SECOND_NS
"""Longest trial, in ns.  Default 20 s: readers that rest are not waited for, and the change is undone."""

FASTER = 1.05
"""Ratio of the bytes a second that a change for time must gain.  Default 1.05, as each step of live tuning."""

CLEARLY = 1.5
"""The same in the first two windows alone: no more are needed then.  Default 1.5: windows of a steady reader vary by a
tenth, and each further turn mounts JuiceFS again, which readers wait for."""

WORSE = 1.1
"""Ratio from which on a first window with a change ends its trial.  Default 1.1, as for turns of acting (`steer`)."""

FEWER = 2.0
"""Ratio of the bytes fetched for each byte asked that a change for bytes must save at least.  Default 2: the counter is
read up to 0.2 s beside the window."""

SLOWER = 2.0
"""Ratio up to which readers may get less a second with a change for bytes.  Default 2: whole blocks in a cache serve
later reads, so that reading a small part of the data is a little faster and moves a hundred times as much."""
