"""Native code: loading BPF programs, draining their ring buffer into the spool file, the coalescer in user space."""
