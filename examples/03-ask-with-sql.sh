#!/bin/sh
# Whatever the report does not say, ask the store: `stepwell query` takes DuckDB's SQL, reads only, and prints a table,
# JSON, CSV, Arrow or Parquet. `stepwell query --schema` describes every view and column.
set -e

head -c 94139 /dev/urandom > data
stepwell record --quiet -- dd if=data of=/dev/null bs=4093 status=none

# `runs` is how traces are kept: one row for a whole series of reads at the same distance, here 23 that fill their
# buffer and the last one, which finds the end of the file.
stepwell query -o csv "select count, \"offset\", stride, runs.size from runs join files using (trace, file)
                       where path = '$PWD/data' order by seq"

# `accesses` has every single read of it.
stepwell query -o csv "select \"offset\", size, requested from accesses
                       where path = '$PWD/data' order by seq desc limit 2"
