"""Where the `stepwell` command begins: while it is loaded, Ctrl-C ends it at once and without a traceback."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the command and run it; does not return."""
    python = signal.getsignal(signal.SIGINT)
    if python is signal.default_int_handler:  # else it is ignored, as of a job in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stepwell.cli.main import main as run

    signal.signal(signal.SIGINT, python)
    run()
