#!/bin/sh
# A command read ahead of, in the order in which an earlier trace read: here from memory, so there is nothing to fetch.
set -eu
mkdir set
head -c 94139 /dev/urandom > set/one
head -c 94139 /dev/urandom > set/two
stepwell record -q -- cat set/two set/one > before
stepwell run --order-from last --memory 64MiB --bandwidth 100MiB/s -- cat set/two set/one > after
cmp before after && echo "the same bytes"
stepwell query "select requests, action from verdicts where trace = 2" -o csv
