#!/bin/sh
# Look at a process that runs already, and at what it starts: --pid. The process notices nothing. The recording ends with
# the process, after --duration, or with Ctrl-C.
set -e

head -c 94139 /dev/urandom > data
sh -c 'until dd if=data of=/dev/null bs=4093 status=none; [ -e enough ]; do sleep 0.1; done' &

stepwell record --duration 2s --pid $!
touch enough
wait

stepwell query -o csv "select size, count(*) > 0 as seen from accesses where path = '$PWD/data' and size > 0 group by size"
