"""Collectors: what turns a running program's accesses into a spool file.

Each collector is a package of its own (`ebpf`); all write the records that `stepwell.trace` defines. Only here are
kernel interfaces and native code used.
"""
