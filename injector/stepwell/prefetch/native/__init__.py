"""System calls that Python does not offer, and the workers that issue requests: C, called through ctypes."""
