"""Steering: what a recording sees at this moment, told to a prefetch engine, and what that gains, measured.

Here belong the way from the records of a running recording to the engine's messages (`feed`), when to act and when to
leave the reader alone so that the difference shows (`turns`, by what the `sides` say of each other), what readers got
and waited for meanwhile (`meter`), all of them pure, and the thin parts that follow the spool file and the engine's
process (`session`, `engine`).  Mounts are tried otherwise by a thread of their own (`mounts`, each a `held_mount`;
whether a change pays is decided by `trial`), from what the session's thread has `observed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.steer.engine import Engine
from stepwell.trace.ondemand import on_demand

if TYPE_CHECKING:
    from stepwell.steer.session import Outcome, Session
else:  # the engine is started before all that steers it is imported
    __getattr__ = on_demand(__name__, {"session": ("Outcome", "Session")})

__all__ = ["Engine", "Outcome", "Session"]
