#!/bin/sh
# The same accesses against other storage: here a directory with files of the same sizes.
set -eu
mkdir set other
head -c 94139 /dev/urandom > set/one
head -c 94139 /dev/urandom > set/two
stepwell record -q -- sh -c 'dd if=set/one of=/dev/null bs=4093 status=none; cat set/two > /dev/null'
stepwell replay last --on other --make-files --speed max -o json | python3 -c '
import json, sys
result = json.load(sys.stdin)
print("planned", result["planned"], "issued", result["issued"])'
ls -l other | awk 'NR > 1 { print $5, $9 }'
