"""The trace: what one recording consists of, defined once.

Here belong the record definition, what is derived from it (C header, numpy and
Arrow types, documentation), the coalescer `run.h` and the spool file format.
Nothing here knows how records are collected or where they are stored.
"""
