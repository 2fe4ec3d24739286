"""Another tool's file, read as a stream in bounded memory; every error names it and the place."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from stepwell.collectors.importers.errors import InputError

Progress = Callable[[int, int], None]
"""Is told how many of how many bytes of the file have been read."""

HEAD_BYTES = 1 << 16
"""What is looked at to find a file's format."""

MAX_LINE_BYTES = 1 << 20
"""A longer line is no line of any format here: paths have 4 KiB at most, strace prints 32 bytes of data."""

MAX_RATIO = 500
"""Traces compress 5 to 50 times; gzip's most is 1,032."""

RATIO_MATTERS_ABOVE = 256 << 20
"""Bytes that may come out of a compressed file before the ratio is looked at."""

_CHUNK = 1 << 20

_KINDS = {
    stat.S_IFDIR: "a directory; give the files in it",
    stat.S_IFIFO: "a pipe; write what comes out of it into a file and import that",
    stat.S_IFSOCK: "a socket; give a file",
    stat.S_IFCHR: "a device; give a file",
    stat.S_IFBLK: "a device; give a file",
}


class Input:
    """One regular file to import; a context manager.

    Attributes:
        path: as the user gave it; for libraries that open files themselves.
        head: its first `HEAD_BYTES` bytes, decompressed.
        is_gzip: whether it is compressed; `read`, `lines` and `head` then give what comes out.

    Raises:
        InputError: it does not exist, is no regular file, is empty, or cannot be read.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self._progress = progress
        self._line = 0
        with self._errors():
            # O_NONBLOCK: opening a pipe that nobody writes must not wait.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._facts = os.fstat(descriptor)
            kind = stat.S_IFMT(self._facts.st_mode)
            if kind != stat.S_IFREG:
                raise self.fail(f"this is {_KINDS.get(kind, 'no regular file; give one')}")
            if not self._facts.st_size:
                raise self.fail("the file is empty; was the tool stopped before it wrote anything?")
        except BaseException:
            os.close(descriptor)
            raise
        self._file = io.FileIO(descriptor)
        try:
            with self._errors():
                self.is_gzip = self._file.read(2) == b"\x1f\x8b"
            self.head = b""
            for piece in self.chunks():
                self.head = (self.head + piece)[:HEAD_BYTES]
                if len(self.head) == HEAD_BYTES:
                    break
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes of the file, as it lies on disk."""
        return self._facts.st_size

    @property
    def mtime_ns(self) -> int:
        """When it was last changed, in nanoseconds since 1970."""
        return self._facts.st_mtime_ns

    def fail(
        self, what: str, *, line: int | None = None, byte: int | None = None, row: int | None = None
    ) -> InputError:
        """Return the error to raise: the file, the place, and what is wrong there.

        Args:
            what: one clause; ends with what to do next.
            line: number of the line, from 1. Without any place it is the line that `lines` gave last, if any.
            byte: offset in the file.
            row: number of the row of data, from 1.
        """
        if line is None and byte is None and row is None and self._line:
            line = self._line
        places = (("line", line), ("byte", byte), ("row", row))
        where = next((f", {word} {number:,}" for word, number in places if number is not None), "")
        return InputError(f"{printable(os.fspath(self.path))}{where}: {what}")

    def digest(self) -> str:
        """Return the SHA-256 of the file as it lies on disk, in hexadecimal."""
        digest = hashlib.sha256()
        for piece in self._raw():
            digest.update(piece)
        return digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Yield all of the file from its start, decompressed, in pieces of at most 1 MiB.

        Raises:
            InputError: it cannot be read, is cut short, is damaged, or expands more than a trace does.
        """
        if not self.is_gzip:
            yield from self._raw()
            return
        self._file.seek(0)
        came_out = 0
        # GzipFile and not zlib: a file may consist of several members, as DFTracer writes them.
        with gzip.GzipFile(fileobj=self._file, mode="rb") as unpacked:
            while piece := self._unpack(unpacked):
                came_out += len(piece)
                read = self._file.tell()
                if came_out > max(RATIO_MATTERS_ABOVE, MAX_RATIO * read):
                    raise self.fail(
                        f"{came_out:,} bytes came out of {read:,} compressed ones, which no trace does; "
                        "if it is one, decompress it and import that",
                        byte=read,
                    )
                self._tell(read)
                yield piece

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        r"""Yield (number of the first from 1, whole lines with \n between and after them), decompressed.

        Raises:
            InputError: as `chunks`; or a line is longer than `MAX_LINE_BYTES` or holds a NUL byte; or there is nothing
                but empty lines for a MiB, which a small compressed file may hold millions of.
        """
        rest = b""
        number = 1
        for piece in self.chunks():
            if len(piece) == _CHUNK and piece.isspace():
                raise self.fail(
                    f"{_CHUNK:,} bytes of nothing but empty lines; this is no trace, or a damaged one", line=number
                )
            text = rest + piece
            end = text.rfind(b"\n") + 1
            whole, rest = text[:end], text[end:]
            if b"\0" in whole or max(whole.find(b"\n"), len(rest)) > MAX_LINE_BYTES:
                yield from self._until_bad(number, text)
            if whole:
                yield number, whole.replace(b"\r\n", b"\n") if b"\r" in whole else whole
                number += whole.count(b"\n")
        if b"\0" in rest:
            yield from self._until_bad(number, rest)
        if rest:
            yield number, rest.removesuffix(b"\r") + b"\n"

    def lines(self) -> Iterator[tuple[int, bytes]]:
        r"""Yield (number from 1, line without its \n or \r\n), decompressed.

        Raises:
            InputError: as `blocks`.
        """
        self._line = 0
        for first, text in self.blocks():
            for self._line, line in enumerate(text[:-1].split(b"\n"), first):
                yield self._line, line

    def text_lines(self) -> Iterator[tuple[int, str]]:
        """Yield (number, line) as text; bytes that are not UTF-8 come as surrogates, which `TraceWriter` takes."""
        for number, line in self.lines():
            yield number, line.decode("utf-8", "surrogateescape")

    def stream(self) -> io.BufferedReader:
        """Return the decompressed file as a binary stream, for libraries that read one; not seekable."""
        return io.BufferedReader(_Stream(self.chunks()), _CHUNK)

    def file(self) -> io.FileIO:
        """Return the file as it lies on disk, at its start, for libraries that seek; do not close it."""
        self._file.seek(0)
        return self._file

    def check_unchanged(self) -> None:
        """Raise InputError if the file has changed since it was opened."""
        with self._errors():
            now = os.fstat(self._file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._facts.st_size, self._facts.st_mtime_ns):
            raise self.fail("the file changed while it was read; import it when nobody writes it", byte=now.st_size)

    def _until_bad(self, number: int, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the lines before the first that no text has, and raise the error of that one."""
        lines = text.split(b"\n")
        for place, line in enumerate(lines):
            what = "a NUL byte in the line; this is no text, or the file was damaged (a crash, a full disk)"
            if len(line) > MAX_LINE_BYTES:
                what = f"a line of more than {MAX_LINE_BYTES:,} bytes; this is no trace, or a damaged one"
            elif b"\0" not in line:
                continue
            if place:
                yield number, b"".join(line.removesuffix(b"\r") + b"\n" for line in lines[:place])
            raise self.fail(what, line=number + place)

    def _raw(self) -> Iterator[bytes]:
        self._file.seek(0)
        while True:
            with self._errors():
                piece = self._file.read(_CHUNK)
            if not piece:
                return
            self._tell(self._file.tell())
            yield piece

    def _unpack(self, unpacked: gzip.GzipFile) -> bytes:
        try:
            with self._errors():
                return unpacked.read(_CHUNK)
        except EOFError:
            raise self.fail("the compressed data is cut short; copy the file again", byte=self.size) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self.fail(f"damaged compressed data ({error}); copy it again", byte=self._file.tell()) from None

    def _tell(self, position: int) -> None:
        if self._progress:
            self._progress(min(position, self.size), self.size)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except gzip.BadGzipFile:  # an OSError, too
            raise
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            hint = "give a file" if error.errno == errno.ENXIO else "check its path and permissions"
            raise self.fail(f"{reason}; {hint}") from error
        except ValueError as error:  # a NUL in the path
            raise self.fail(f"{error}; give the path of a file") from error


class _Stream(io.RawIOBase):
    """An iterator of pieces as a raw stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what comes next; 0 at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def number(text: str) -> int | None:
    """Return a decimal number of at most 20 digits (2^64 has as many), otherwise None."""
    return int(text) if len(text) <= 20 and text.isascii() and text.isdecimal() else None


def integers(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return decimal numbers; each text has between 1 and 18 digits, and nothing else."""
    return np.fromstring(" ".join(texts), np.int64, sep=" ")


def nanoseconds(text: str) -> int | None:
    """Return a time in decimal seconds, such as 1700000000.123456, exactly in nanoseconds; None if it is none."""
    seconds, _, fraction = text.partition(".")
    whole, part = number(seconds), number(fraction[:9].ljust(9, "0"))
    return None if whole is None or part is None else whole * 1_000_000_000 + part


def printable(text: str) -> str:
    """Return text from a file that cannot steer a terminal, for messages; at most 200 characters of it."""
    shown = text if len(text) <= 200 else text[:200] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in shown)
