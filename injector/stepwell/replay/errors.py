"""The one error of a replay.

StepwellError (stepwell.trace.errors)
└── ReplayError    the trace or the directory does not allow it; exit code 1
"""

from __future__ import annotations

from stepwell.trace.errors import StepwellError


class ReplayError(StepwellError):
    """A replay cannot begin."""
