"""The spool file: what a collector writes and the store ingests.

A header, then blocks, each appended by one write(2):

    header  8 bytes "STEPWELL", u32 FORMAT_VERSION, u32 0
    block   u32 magic, u32 kind, u32 record size, u32 count, u64 text bytes, u32 CRC, u32 0;
            then `count` records of one kind; then, for kinds with text, `count` u32 text
            lengths and the texts one after the other

The CRC is zlib's CRC-32 of all that follows the block's header.  A block of
kind `META_KIND` holds no records; its text is one JSON object.  Everything is
little-endian.

A writer that dies leaves at worst one incomplete block, at the end.  Reading
therefore stops at the first block that is not whole and reports it as damage:
what came before is good, what follows is not looked at.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from stepwell.trace.definition import FORMAT_VERSION, META_KIND
from stepwell.trace.errors import NewerSpoolError, SpoolError
from stepwell.trace.layout import BY_KIND, DTYPES

MAGIC = b"STEPWELL"
BLOCK_MAGIC = 0x4B4C4257
MAX_BLOCK_BYTES = 64 << 20
"""A block claiming more is damage; it bounds what a reader holds in memory."""

_HEADER = struct.Struct("<8sII")
HEADER_BYTES = _HEADER.size
_BLOCK = struct.Struct("<IIIIQII")


@dataclass(frozen=True)
class Block:
    """Records of one kind, in the order they were collected.

    `records` is a view of the bytes read; `texts` holds each record's text, or
    None for kinds without.  For a META block `meta` is its object and
    `records` is empty.
    """

    kind: int
    records: np.ndarray[Any, np.dtype[np.void]]
    texts: pa.LargeBinaryArray | None = None
    meta: dict[str, Any] | None = None


class Spool:
    """A spool file open for reading, a block at a time.

    After `blocks` has run to its end, `damage` says why it stopped before the
    end of the file, or is None when the file is whole.

    Raises:
        SpoolError: the file is not a spool file, or cannot be read.
        NewerSpoolError: a newer Stepwell wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: str | None = None
        self._checked = self._followed = _HEADER.size
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise SpoolError(f"cannot read {path}: {error.strerror}; check its path and permissions") from error
        try:
            self._check_header()
        except SpoolError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def blocks(self, kinds: Container[int] | None = None) -> Iterator[Block]:
        """Yield the good blocks from the start, or those of some kinds only.

        Every block is verified once, the first time it is passed, wanted or not.
        """
        for block, _ in self._from(_HEADER.size, {META_KIND, *BY_KIND} if kinds is None else kinds):
            yield block

    def follow(self, kinds: Container[int]) -> Iterator[Block]:
        """Yield the blocks of some kinds that have come since the last call, while the file is being written.

        One that is not whole yet is left for a later call.
        """
        for block, end in self._from(self._followed, kinds):
            self._followed = end
            yield block

    def _from(self, position: int, kinds: Container[int]) -> Iterator[tuple[Block, int]]:
        """Yield blocks from a position on, each with the position of its end."""
        self.damage = None
        size = os.fstat(self._file.fileno()).st_size
        while position < size:
            self._file.seek(position)
            header = self._file.read(_BLOCK.size)
            if len(header) < _BLOCK.size:
                self.damage = f"incomplete block header at byte {position}"
                return
            magic, kind, record_size, count, text_bytes, crc, reserved = _BLOCK.unpack(header)
            if magic != BLOCK_MAGIC or reserved or not _known(kind, record_size, count):
                self.damage = f"no valid block at byte {position}"
                return
            length = count * record_size + (4 * count if _has_text(kind) else 0) + text_bytes
            end = position + _BLOCK.size + length
            if length > MAX_BLOCK_BYTES or end > size:
                self.damage = f"incomplete block at byte {position}"
                return
            checked = end <= self._checked
            wanted = kind in kinds
            if wanted or not checked:
                body = self._file.read(length)
                if not checked and zlib.crc32(body) != crc:
                    self.damage = f"wrong checksum of the block at byte {position}"
                    return
                self._checked = max(end, self._checked)
                if wanted:
                    try:
                        block = _decode(kind, count, text_bytes, body)
                    except ValueError as error:
                        self.damage = f"malformed block at byte {position}: {error}"
                        return
                    yield block, end
            position = end

    def _check_header(self) -> None:
        header = self._file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(MAGIC):
            raise SpoolError(f"{self.path} is not a Stepwell spool file; give the path of a *.spool file")
        _, version, reserved = _HEADER.unpack(header)
        if version > FORMAT_VERSION:
            raise NewerSpoolError(
                f"{self.path} has format version {version}, this Stepwell reads {FORMAT_VERSION}; "
                "upgrade Stepwell, the file is kept"
            )
        if 0 < version < FORMAT_VERSION and not reserved:
            raise SpoolError(
                f"{self.path} has format version {version}, this Stepwell reads {FORMAT_VERSION}; "
                "bring it in with the version that recorded it, or delete it"
            )
        if version == 0 or reserved:
            raise SpoolError(f"{self.path} has a damaged header; restore it from a copy or delete it")


def _known(kind: int, record_size: int, count: int) -> bool:
    """Tell whether a block's header describes something that this version can hold."""
    if kind == META_KIND:
        return record_size == 0 and count == 0
    return kind in DTYPES and record_size == DTYPES[kind].itemsize


def _has_text(kind: int) -> bool:
    return kind != META_KIND and bool(BY_KIND[kind].text)


def _decode(kind: int, count: int, text_bytes: int, body: bytes) -> Block:
    """Return the block whose body this is; ValueError when its parts do not fit together."""
    if kind == META_KIND:
        meta = json.loads(body)
        if not isinstance(meta, dict):
            raise ValueError("not a JSON object")
        return Block(kind, np.empty(0, np.dtype([])), meta=meta)
    dtype = DTYPES[kind]
    records = np.frombuffer(body, dtype, count)
    if not _has_text(kind):
        if text_bytes:
            raise ValueError("text where none belongs")
        return Block(kind, records)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.frombuffer(body, "<u4", count, count * dtype.itemsize), out=offsets[1:])
    if offsets[-1] != text_bytes:
        raise ValueError("text lengths do not add up")
    text = pa.py_buffer(memoryview(body)[len(body) - text_bytes :])
    return Block(
        kind, records, pa.LargeBinaryArray.from_buffers(pa.large_binary(), count, [None, pa.py_buffer(offsets), text])
    )


class SpoolWriter:
    """A new spool file, locked for as long as it is open, so that nobody ingests it meanwhile.

    Raises:
        OSError: the file exists already, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._append(_HEADER.pack(MAGIC, FORMAT_VERSION, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def meta(self, /, **values: Any) -> None:
        """Append a META block."""
        self._block(META_KIND, 0, 0, b"", json.dumps(values).encode())

    def write(self, kind: int, records: np.ndarray[Any, np.dtype[np.void]], texts: Sequence[bytes] = ()) -> None:
        """Append one block of records, with one text each if the kind has texts."""
        if records.dtype != DTYPES[kind] or len(texts) != (len(records) if _has_text(kind) else 0):
            raise ValueError(f"the records or texts do not fit kind {kind}")
        lengths = np.array([len(text) for text in texts], "<u4").tobytes()
        self._block(kind, records.itemsize, len(records), records.tobytes() + lengths, b"".join(texts))

    def _block(self, kind: int, record_size: int, count: int, records: bytes, text: bytes) -> None:
        body = records + text
        header = _BLOCK.pack(BLOCK_MAGIC, kind, record_size, count, len(text), zlib.crc32(body), 0)
        self._append(header + body)

    def _append(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes written; free some space")
