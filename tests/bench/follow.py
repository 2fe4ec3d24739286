"""A reader that reads what a list says, in its order: `python tests/bench/follow.py ORDER ROOT [random]`.

Each line is `PATH`, a whole file, or `PATH<TAB>OFFSET<TAB>SIZE`.  It prints the seconds that took and a digest of all
bytes; with `random` the kernel reads nothing ahead.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    order, root, *random = sys.argv[1:]
    steps = [line.split("\t") for line in Path(order).read_text().splitlines()]
    began, digest = time.perf_counter(), hashlib.blake2b()
    name, descriptor = "", -1
    for path, *where in steps:
        if path != name:
            if name:
                os.close(descriptor)
            name, descriptor = path, os.open(f"{root}/{path}", os.O_RDONLY)
            if random:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        if where:
            digest.update(os.pread(descriptor, int(where[1]), int(where[0])))
        else:
            while data := os.read(descriptor, 1 << 17):
                digest.update(data)
    print(json.dumps({"seconds": time.perf_counter() - began, "digest": digest.hexdigest()}))


if __name__ == "__main__":
    main()
