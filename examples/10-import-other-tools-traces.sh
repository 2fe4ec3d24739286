#!/bin/sh
# A trace that another tool wrote, here as CSV; strace, fio, Darshan, DFTracer, JuiceFS and blkparse likewise.
set -eu
{
    echo path,op,offset,size
    seq 0 100 | awk '{ printf "/set/forward,read,%d,65536\n", $1 * 65536 }'
    seq 100 -1 0 | awk '{ printf "/set/backward,read,%d,65536\n", $1 * 65536 }'
} > accesses.csv
stepwell import accesses.csv
stepwell query -o csv "select path, pattern from patterns where scope = 'file' order by path"
