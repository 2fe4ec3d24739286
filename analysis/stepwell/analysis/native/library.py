"""The native library of analysis."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path


@cache
def library() -> ctypes.CDLL:
    """Return the loaded library; each module beside this one declares the functions that it calls.

    Raises:
        OSError: it is missing: `make native` compiles it.
    """
    return ctypes.CDLL(str(Path(__file__).parent / "libanalysis.so"))
