"""The importers' own branch of the error tree.

StepwellError
└── InputError    another tool's file cannot be imported; nothing of it has been; exit code 6
"""

from __future__ import annotations

from stepwell.trace.errors import StepwellError


class InputError(StepwellError):
    """A file is not what its format says, or cannot be read; the message names the file and the place."""

    exit_code = 6
