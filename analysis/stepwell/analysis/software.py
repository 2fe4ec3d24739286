"""Which files are software: part of the programs that ran, not the data they read.

A short command's own start-up (shared libraries, an interpreter's modules, locales) outnumbers what it is run for, so
reports fold such files into one row.  A file is software when nobody wrote to it and one of these holds:

- it is where systems keep programs, libraries and settings: /bin, /sbin, /lib*, /boot, /etc, the same and libexec under
  /usr and /usr/local, locales and time zones under /usr/share; or where the kernel shows itself: /proc, /sys;
- it is a module of a Python or Node.js installation: below lib/python3*, site-packages, dist-packages, node_modules;
- it is a shared library (.so, .so.N), Python bytecode (.pyc) or the settings of a virtual environment (pyvenv.cfg);
- it was only mapped, never read, and is in a directory called bin or has the name of a process that ran;
- it is memory that processes share without any file: on tmpfs, without a path.
"""

from __future__ import annotations

from stepwell.store import SOFTWARE_PLACES

LABEL = "programs and libraries"
"""What the row of all software is called."""

_PROGRAMS = r"/s?bin/[^/]*\z"
_COMM_LENGTH = 15
"""A process's name is the first 15 bytes of its program's (TASK_COMM_LEN in linux/sched.h)."""

SOFTWARE = f"""
    coalesce(NOT written AND (
        regexp_matches(path, '{SOFTWARE_PLACES}')
        OR filesystem = 'tmpfs' AND regexp_matches(path, '^[0-9]+:[0-9]+:[0-9]+\\z')
        OR mapped AND regexp_matches(path, '{_PROGRAMS}')
        OR mapped AND left(regexp_extract(path, '[^/]*\\z'), {_COMM_LENGTH}) IN (
            SELECT comm FROM readers WHERE trace = $1)
    ), false)
"""
"""SQL: whether a file of trace `$1` is software, by `path` and `filesystem`, if it was `written`, if only `mapped`."""
