"""The one error of warming.

StepwellError (stepwell.trace.errors)
└── WarmError    it cannot begin; exit code 1
"""

from __future__ import annotations

from stepwell.trace.errors import StepwellError


class WarmError(StepwellError):
    """Warming cannot begin."""
