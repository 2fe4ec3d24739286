"""Do the functions of a module, each in a process and an empty directory of its own: `run.py MODULE DIRECTORY`.

Imports nothing that reads many files, because it is recorded. A function gets its directory, which is called like the
function, and is also its working directory; it fails when it raises.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path


def main() -> None:
    module = importlib.import_module(f"tests.kernel.deeds.{sys.argv[1]}")
    root = Path(sys.argv[2])
    failed = []
    for name, deed in vars(module).items():
        if getattr(deed, "__module__", None) != module.__name__ or name.startswith("_") or not callable(deed):
            continue
        directory = root / name
        directory.mkdir()
        child = os.fork()
        if child == 0:
            try:
                os.chdir(directory)
                deed(directory)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        if os.waitpid(child, 0)[1]:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {failed}")


if __name__ == "__main__":
    main()
