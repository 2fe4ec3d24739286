#!/bin/sh
# Recording needs two rights, not all of root's: CAP_BPF to load the programs and CAP_PERFMON to attach them. Here an
# ordinary user gets just these for one command; `stepwell doctor` says how to grant them for good. The recorded command
# never gets them.
set -e

user=65534
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
chown $user "$directory"

setpriv --reuid $user --clear-groups --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon \
    stepwell --store "$directory/store" record -- grep -E 'Cap(Eff|Amb)' /proc/self/status
