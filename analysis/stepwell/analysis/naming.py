"""What people call a process: one name wherever it is told of, and its pid where that name alone may not do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from posixpath import basename

_SHELL = ("c", "oO")
_INTERPRETERS = {
    "python": ("c", "WX"), "pypy": ("c", "WX"), "perl": ("eE", "I"), "ruby": ("e", "Ir"), "node": ("ep", "rC"),
    "julia": ("eE", "ptLJC"), "Rscript": ("e", ""), "php": ("r", "dc"),
    "sh": _SHELL, "bash": _SHELL, "dash": _SHELL, "zsh": _SHELL,
}  # fmt: skip
"""Programs that run a script; the letters of options that give code instead, and of options with a value of their own.

Source: their manual pages.
"""

_VERSION = re.compile(r"[\d.]+$")


def called(comm: str, command: str) -> str:
    """Return what people call a process: its name, of an interpreter that of the script, or module, that it runs.

    Args:
        comm: its name as the kernel has it; empty when unknown.
        command: its command line, quoted for the shell; empty when unknown.
    """
    words = _words(command)
    program = _VERSION.sub("", basename(words[0])) if words else ""
    # A process that took another name, such as a data loader's worker, goes by that one.
    if program not in _INTERPRETERS or not basename(words[0]).startswith(comm):
        return comm or program or "process"
    code, valued = _INTERPRETERS[program]
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            return basename(word.rstrip("/")) or word
        if word == "-" or (not word.startswith("--") and word[-1] in code):
            break
        if len(word) == 2 and word[1] in valued:
            next(rest, None)
    return comm or program


def titled(name: str, pids: Sequence[int]) -> str:
    """Return what tells one process from others of its name, or how many there are.

    Args:
        name: what the processes are called.
        pids: their process ids; 0 where unknown.
    """
    if len(pids) > 1:
        return f"{len(pids)} x {name}"
    return f"{name} {pids[0]}" if pids and pids[0] else name


def _words(command: str) -> list[str]:
    if "'" in command:
        try:
            return shlex.split(command)
        except ValueError:  # cut off inside of quotes
            pass
    return command.split()
