#!/bin/sh
# What a storage can do, by reading from it; and files read once before they are needed.
set -eu
mkdir set
head -c 8388608 /dev/urandom > set/one
head -c 94139 /dev/urandom > set/two
stepwell bench set --block-size 4KiB,64KiB,1MiB --concurrency 1,4 --time 2 -o json > storage.json
python3 -c '
import json
measured = json.load(open("storage.json"))
print(measured["files"], "files,", len(measured["cells"]), "combinations,", measured["status"])'
stepwell warm set -o json > warmed.json
python3 -c '
import json
warmed = json.load(open("warmed.json"))
print(warmed["done"], "files,", warmed["brought_bytes"] + warmed["resident_bytes"], "bytes,", warmed["failed"], "failed")'
