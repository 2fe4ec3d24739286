#!/bin/sh
# What changed between two runs of a program, and what of it is more than noise.
set -eu
head -c 4194304 /dev/urandom > data
stepwell record -q -- dd if=data of=/dev/null bs=4096 status=none
stepwell record -q -- dd if=data of=/dev/null bs=65536 status=none
stepwell compare 1 2 -o json | python3 -c '
import json, sys
for change in json.load(sys.stdin)["changes"]:
    if change["scope"] == "trace" and change["name"] == "accesses":
        print("accesses:", change["a"], "then", change["b"], change["verdict"])'
