"""Where the time of programs goes, what their storage can do, and what they are bound by.

Here belong the models of waiting.  Set work is SQL over the public views (`questions`), everything else decides on the
sums that come back: `storages` (latency, bandwidth, concurrency, limits), `accounts` (where threads' time went),
`teams` (who works for whom, and what waiting delays), `slow` (files) and `verdict`.
"""

from __future__ import annotations

from stepwell.analysis.waits.gather import waits
from stepwell.analysis.waits.model import (
    Account,
    Dataset,
    Interval,
    Process,
    SlowFile,
    Storage,
    Team,
    Use,
    Verdict,
    Waits,
)

__all__ = [
    "Account", "Dataset", "Interval", "Process", "SlowFile", "Storage", "Team", "Use", "Verdict", "Waits", "waits",
]  # fmt: skip
