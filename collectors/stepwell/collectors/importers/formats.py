"""The formats there are, and which of them a file has."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from stepwell.collectors.importers.source import Input
from stepwell.collectors.importers.writer import TraceWriter


@dataclass(frozen=True)
class Format:
    """One format that can be imported.

    Its module `stepwell.collectors.importers.MODULE` has two functions:

        def sniff(head: bytes, name: str) -> bool      whether a file that begins so, and is called so, is of the format
        def read(source: Input, trace: TraceWriter) -> None        tells the trace; raises InputError by source.fail()
    """

    name: str
    module: str
    doc: str

    def sniff(self, source: Input) -> bool:
        """Tell whether a file is of this format, by its first bytes and its name."""
        found: bool = self._module().sniff(source.head, source.path.name)
        return found

    def read(self, source: Input, trace: TraceWriter) -> None:
        """Read the whole file into a trace; `trace.end` is left to the caller."""
        self._module().read(source, trace)

    def _module(self) -> _Importer:
        module = importlib.import_module(f"stepwell.collectors.importers.{self.module}")
        return _Importer(module.sniff, module.read)


class _Importer(NamedTuple):
    sniff: Callable[[bytes, str], bool]
    read: Callable[[Input, TraceWriter], None]


FORMATS = {
    made.name: made
    for made in (
        Format("parquet", "parquet", "accesses in Parquet, with the columns of the view `accesses`"),
        Format("fio", "fio", "fio's write_iolog, versions 2 and 3; one job a file"),
        Format("strace", "strace", "text of strace -f -ttt -T -y -o FILE"),
        Format("blkparse", "blkparse", "text of blkparse in its default format"),
        Format("darshan", "darshan", "Darshan's logs; needs stepwell[importers]"),
        Format("dftracer", "dftracer", "DFTracer's .pfw and .pfw.gz"),
        Format("juicefs", "juicefs", "JuiceFS's access log"),
        Format("csv", "delimited", "accesses in CSV with a header line, the same columns"),
    )
}
"""By name, in the order in which they are asked: those with a signature first."""


def find(source: Input, name: str | None = None) -> Format:
    """Return the format called `name`, or the first that takes the file for its own.

    Raises:
        InputError: no format does.
    """
    if name is not None:
        return FORMATS[name]
    for made in FORMATS.values():
        if made.sniff(source):
            return made
    raise source.fail(f"no format that is known ({', '.join(FORMATS)}); if it is one of these, say so with --format")
