"""The `stepwell` command: its sub-commands, its global options, and how every error ends."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click

from stepwell.cli.place import Place
from stepwell.trace.errors import StepwellError

_COMMANDS = {
    "record": "stepwell.cli.record:record",
    "run": "stepwell.cli.run:run",
    "report": "stepwell.cli.report:report",
    "explain": "stepwell.cli.explain:explain",
    "traces": "stepwell.cli.traces:traces",
    "import": "stepwell.cli.import_:import_",
    "query": "stepwell.cli.query:query",
    "export": "stepwell.cli.traces:export",
    "rm": "stepwell.cli.traces:rm",
    "compare": "stepwell.cli.compare:compare",
    "simulate": "stepwell.cli.simulate:simulate",
    "plan": "stepwell.cli.plan:plan",
    "replay": "stepwell.cli.replay:replay",
    "bench": "stepwell.cli.bench:bench",
    "warm": "stepwell.cli.warm:warm",
    "doctor": "stepwell.cli.doctor:doctor",
}
"""Where each sub-command is; it is imported when it is used."""

_INTERRUPTED = 128 + 2


class Commands(click.Group):
    """The sub-commands, in the order in which one meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return their names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one of them."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  stepwell record -- python train.py     trace a command and all it starts
  stepwell report                        what the last trace shows
  stepwell run -- python train.py        read ahead of it, and measure what that gains
  stepwell doctor                        what this machine allows, and how to allow more

\b
Exit codes:
  0    success
  1    any other error
  2    wrong usage, or a query that the store refuses
  3    not permitted, or the kernel lacks something
  4    the store is locked, damaged, newer, read-only or full
  5    no such trace
  6    a file to import is damaged or of no known format; nothing of it was imported
  125  record or run could not begin the recording; what they were given wrongly is 1, 2 or 5
  126  the command cannot be executed
  127  the command does not exist
Otherwise record and run end with their command's exit code, 128 + N when signal N killed it.

Results go to standard output, everything else to standard error.""",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Keep traces in FILE. Default: stepwell/stepwell.duckdb in $XDG_DATA_HOME (~/.local/share). "
    "A directory of exported traces can be read.",
)
@click.option(
    "--spark",
    metavar="MASTER",
    help="Ask --store DIR through Apache Spark at MASTER, such as local[2] or spark://HOST:7077.",
)
@click.version_option(package_name="stepwell", prog_name="stepwell", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, store: Path | None, spark: str | None) -> None:
    """See how programs really read their data, and read ahead of them, without changing them."""
    ctx.obj = Place.of(store, spark)


def main() -> None:
    """Run the command line and exit; whatever happens is told in one line."""
    _stand_in_for_closed_streams()
    # OpenBLAS, in numpy, would start a thread a processor when it is loaded, each of which spins for a while. What is
    # recorded does not see this: it gets the environment that this process was started with.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has had enough. Nothing may complain when Python flushes at its end; click ends
        # likewise when it notices first.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _stand_in_for_closed_streams() -> None:
    """Occupy what the caller closed of 0, 1 and 2, so that no file of ours gets written to by mistake.

    The recorded command finds them closed, as it would without Stepwell.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we run


def _run() -> int:
    try:
        code = cli(prog_name="stepwell", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except StepwellError as error:
        return _complain(str(error), error.exit_code)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _complain(f"{error.filename or 'output'}: {error.strerror}; check that place, its rights and its space")
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        return _complain(
            f"unexpected {type(error).__name__} at {where.filename}:{where.lineno}: {error}; "
            "please report it, with what `PYTHONDEVMODE=1 stepwell ...` shows"
        )


def _complain(message: str, code: int = 1) -> int:
    click.echo(f"stepwell: error: {message}", err=True)
    return code
