"""The eBPF collector: every access of the chosen processes, joined into runs inside the kernel.

`Collector` records into a spool file; `probe` says what this kernel and user allow.
"""

from __future__ import annotations

from stepwell.collectors.ebpf.collector import Collector, CollectorError, Counters
from stepwell.collectors.ebpf.probe import Check, probe
from stepwell.collectors.ebpf.scope import Scope, ScopeKind
from stepwell.collectors.native.library import drop_ambient

__all__ = ["Check", "Collector", "CollectorError", "Counters", "Scope", "ScopeKind", "drop_ambient", "probe"]
