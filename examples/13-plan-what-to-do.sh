#!/bin/sh
# What reading ahead should do for this reader, as a file to look at, change and carry out: here nothing, and why.
set -eu
head -c 94139 /dev/urandom > data
stepwell record -q -- dd if=data of=/dev/null bs=4093 status=none
stepwell plan --memory 64MiB -o yaml > plan.yaml
grep -E '^mode|memory_bytes|path:|policy:' plan.yaml
stepwell plan
