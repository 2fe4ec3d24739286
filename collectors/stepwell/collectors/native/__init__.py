"""Native code: loading BPF programs, draining their ring buffer into the spool file, and the coalescer in user space."""
