"""The threads that read, in C: Python's would measure how they wait for each other."""
