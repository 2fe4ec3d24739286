"""The threads that issue accesses again, in C: Python's could not keep their times."""
