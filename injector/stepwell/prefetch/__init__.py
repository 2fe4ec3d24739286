"""Prefetch: has the bytes in memory before they are asked for, in a process of its own (`python -m stepwell.prefetch`).

Here belongs what is told of readers (`protocol`, as lines by `codec`), what decides what to read next (the pure
`planner` and its parts) and the thin part that reads (`engine`, `issuer`, `native`).  It uses nothing of Stepwell but
its errors and its table of mounts, and no third-party package: it also runs alone beside a reader, driven by an order
file or a socket.
"""

from __future__ import annotations

from stepwell.prefetch.errors import OrderError, PrefetchError, ProtocolError

__all__ = ["OrderError", "PrefetchError", "ProtocolError"]
