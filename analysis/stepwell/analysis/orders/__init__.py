"""In which order files are read: epochs, order within and across them, sharing between processes, working set.

Here belongs what is told of files rather than of bytes in them.  The trace is reduced to visits by SQL (`queries`): one
row for each reading of a file by a process, however many accesses that took.  All else is pure functions over visits
as numpy arrays.
"""

from __future__ import annotations

from stepwell.analysis.orders.conclude import Directories, directory_ordered, orders
from stepwell.analysis.orders.model import Order
from stepwell.analysis.orders.rows import with_directories

__all__ = ["Directories", "Order", "directory_ordered", "orders", "with_directories"]
