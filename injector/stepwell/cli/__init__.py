"""The `stepwell` command.

Here belongs what a person at a terminal meets: commands, their options, what they
print and with which exit code they end.  What they do belongs to the packages
below (collectors, store, analysis), which are imported only by the command that
needs them, so that `stepwell --help` answers at once.
"""
