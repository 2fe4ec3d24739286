"""The command line's own branch of the error tree.

StepwellError
└── RecordError                     `record` failed before it ran the command; exit code 125
    ├── CommandNotExecutableError   the command cannot be executed; exit code 126
    └── CommandNotFoundError        there is no such command; exit code 127
"""

from __future__ import annotations

from stepwell.trace.errors import StepwellError


class RecordError(StepwellError):
    """Recording did not begin, and the command was not run."""

    exit_code = 125


class CommandNotExecutableError(RecordError):
    """The command exists but execve refuses it."""

    exit_code = 126

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(f"cannot execute {program}: {reason}; check its permissions and its first line (#!)")


class CommandNotFoundError(RecordError):
    """There is no such program."""

    exit_code = 127

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(f"cannot find {program}: {reason}; check its spelling and PATH")
