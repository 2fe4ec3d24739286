"""The mounts' branch of the error tree.

StepwellError (stepwell.trace.errors)
└── MountError       a mount cannot be set otherwise; exit code 1
"""

from __future__ import annotations

from stepwell.trace.errors import StepwellError


class MountError(StepwellError):
    """A mount cannot be set otherwise; it serves on as it did."""
