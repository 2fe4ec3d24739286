"""A prefetcher as a sidecar of Fluid's is one: one thread reads whole files in the order of their names, 16 MiB a time.

python tests/bench/sidecar.py PATH
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

BLOCK = 16 << 20


def main() -> None:
    top, buffer = Path(sys.argv[1]), memoryview(bytearray(BLOCK))
    for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
        descriptor = os.open(path, os.O_RDONLY)
        while os.readv(descriptor, [buffer]):
            pass
        os.close(descriptor)


if __name__ == "__main__":
    main()
