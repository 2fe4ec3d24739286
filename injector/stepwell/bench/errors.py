"""The one error of measuring.

StepwellError (stepwell.trace.errors)
└── BenchError    nothing can be measured there; exit code 1
"""

from __future__ import annotations

from stepwell.trace.errors import StepwellError


class BenchError(StepwellError):
    """Nothing can be measured."""
