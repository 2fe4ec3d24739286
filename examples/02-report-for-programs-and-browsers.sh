#!/bin/sh
# The same report as a page of its own (charts, no network needed), and as JSON for programs.
set -e

head -c 94139 /dev/urandom > data
stepwell record --quiet -- sh -c 'cat data > copy; wc -c < copy'

stepwell report -o html > report.html

# Every field of the JSON is described by `stepwell report --schema`.
stepwell report -o json > report.json
python3 -c 'import json; print("reported accesses:", json.load(open("report.json"))["totals"]["accesses"] > 0)'
