#!/bin/sh
# Record a command: put `stepwell record --` in front of it. Nothing else changes; its output, its terminal and its exit
# code are its own. What was read is kept as a trace in your store, and reported afterwards.
set -e

head -c 94139 /dev/urandom > data

stepwell record -- dd if=data of=/dev/null bs=4093

# Who read what, in which order, and how long it waited. `stepwell report --help` names the other forms.
stepwell report
