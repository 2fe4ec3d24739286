"""The prefetch engine's branch of the error tree.

StepwellError (stepwell.trace.errors)
└── PrefetchError       the engine cannot begin, or cannot go on; exit code 1
    ├── ProtocolError   a message is not what PROTOCOL.md says; the engine ignores it and answers so
    └── OrderError      an order file cannot be read
"""

from __future__ import annotations

from stepwell.trace.errors import StepwellError


class PrefetchError(StepwellError):
    """The engine cannot begin, or cannot go on."""


class ProtocolError(PrefetchError):
    """A message does not follow the protocol."""


class OrderError(PrefetchError):
    """A known order cannot be read."""
