#!/bin/sh
# What the pattern is, and the evidence it rests on.
set -eu
head -c 4194304 /dev/urandom > data
cat > reader.py <<'PROGRAM'
import os
fd = os.open("data", os.O_RDONLY)
for block in range(0, 1024, 8):  # 4 KiB of every 32 KiB
    os.pread(fd, 4096, block * 4096)
PROGRAM
stepwell record -q -- python3 reader.py
stepwell query -o csv "select pattern, stride, request_size, accesses from patterns
    where scope = 'file' and path like '%/data'"
stepwell explain data | grep -A 3 '^1. How it reads'
