"""What analysis does to every single run or access, in C.

Here belong one-pass algorithms with bounded state that would take Python minutes on a
trace of 50 million accesses: each is one C file, and one Python module of the same name
that declares it to ctypes and gives it a face of numpy arrays.  They decide nothing:
they count, and pure Python concludes from the counts.
"""
