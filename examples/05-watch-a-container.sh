#!/bin/sh
# A container, a service or any other group of processes is a cgroup: name its folder, whole or from its hierarchy's root
# (`cat /proc/PID/cgroup` tells it). --under narrows every recording to the files below one folder.
set -e

root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
group="$root/stepwell-example-$$"
mkdir "$group"
trap 'rmdir "$group"' EXIT

mkdir -p dataset && head -c 94139 /dev/urandom > dataset/a
cp dataset/a outside
worker='echo $$ > "$0/cgroup.procs"; cat outside dataset/a > /dev/null; cat dataset/a > /dev/null'

# With a command, a recording of something else lasts as long as the command.
stepwell record --cgroup "$group" --under dataset -- sh -c "$worker" "$group"

stepwell query -o csv "select path, sum(size)::bigint as bytes from accesses group by path"
