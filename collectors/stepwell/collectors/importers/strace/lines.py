"""Lines of strace's output, taken apart; no state but the line itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from stepwell.collectors.importers.source import Input, nanoseconds, number, printable

_PREFIX = re.compile(r"(?:\[pid +(?P<marked>\d+)\] |(?P<plain>\d+) +(?=[\d<+\-a-z_]))?(?:(?P<time>\d+\.\d+) )?")
_CALL = re.compile(r"(?P<name>[a-z_][a-z_0-9]*)\(")
_UNFINISHED = re.compile(r" ?<unfinished \.\.\.>(?:\) += \?)?$|(?:strace: )?Process \d+ attached$")
"""On a terminal the notice of a new process comes between, and the rest follows on a line of its own."""
_RESUMED = re.compile(r"<\.\.\. (?P<name>[a-z_][a-z_0-9]*) resumed>")
_RESULT = re.compile(
    r"(?P<arguments>.*)\)\s+= (?P<value>-?\d+|\?|0x[0-9a-f]+)(?P<said>.*?)(?: <(?P<took>\d+\.\d+)>)?$", re.DOTALL
)
_EXIT = re.compile(r"\+\+\+ (?:exited with (?P<code>\d+)|killed by (?P<signal>\w+)(?: \(core dumped\))?) \+\+\+$")
_SUPERSEDED = re.compile(r"\+\+\+ superseded by execve in pid (?P<by>\d+) \+\+\+$")
_NOTICE = re.compile(r"--- .* ---$|(?:strace: )?Process \d+ (?:attached|detached)|strace: | ?<unfinished \.\.\.>$")

_OPEN = r"(\d{1,9}+)<(/[^<>\\\"\n]*+)(?<!\(deleted\))>"
LINES = re.compile(
    r"(?:(\d{1,9}+) ++)?+(?:(\d{1,10}+)\.(\d{6}) )?+([a-z_][a-z_0-9]*+)\("
    rf"({_OPEN}"
    r'(?:, "(?:[^"\n]*+(?<!\\)|[^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"(?:\.\.\.)?+, (\d{1,18}+)(?:, (\d{1,18}+))?+)?+'
    rf"|{_OPEN},.*|.*)"
    r"\) ++= (-?\d{1,18}+)(<[^<>()\\\"\n]*+>| E[A-Z0-9]++ \([^()\n]*+\))?+(?: <(\d{1,9}+)\.(\d{6})>)?+\n|.*\n",
    re.ASCII,
)
"""Each line; most are whole calls, of which the groups tell all.

These are the thread, the time, the name, the arguments, the result, what follows it (a descriptor's path or an error)
and the time it took.  A descriptor with its path that comes first is apart, too: alone or before a string and one or
two numbers, with these; and before other arguments.
"""
_SIMPLE = re.compile(r'(?:[^"<>\[\]{}()/\\]++|<[^,<>"\\]*+>|"[^",\\]*+")*+')
"""Arguments of which no comma is inside of one."""
_MARK = re.compile(
    r'[^"<>\[\]{}(),/]*+(?:'
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"(?:\.\.\.)?'  # a string
    r"|(?<=[\dD])<(?:[^<>\\]|\\.|<[^<>]*>|->)*>"  # what -y says of a descriptor; -yy nests it
    r"|/\*.{0,200}?\*/|([\[{(\]}),])|.|$)",
    re.DOTALL,
)
_DESCRIPTOR = re.compile(r"(?P<number>-?\d+|AT_FDCWD)(?:<(?P<name>.*?)>)?(?P<deleted>\(deleted\))?", re.DOTALL)
_DEVICE = re.compile(r"<(?:char|block) \d+:\d+>?$")
_STRING = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<cut>\.\.\.)?', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f", "a": "\a", "b": "\b", "e": "\x1b"}


@dataclass(slots=True)
class Line:
    """What every line has: the thread, None where strace did not say it, and the time, None without -ttt."""

    tid: int | None
    time_ns: int | None


@dataclass(slots=True)
class Begun(Line):
    """A system call that begins here and ends on another line."""

    name: str
    arguments: str


@dataclass(slots=True)
class Call(Line):
    """A system call's end; `arguments` is None when its beginning is on another line, and `rest` what follows there."""

    name: str
    arguments: str | None
    rest: str
    result: int | None
    said: str
    """What follows the result: the descriptor's path, or the error's name and meaning."""
    took_ns: int | None
    own: str | None = None
    """The first argument's number, where that is a descriptor with a path that takes what it says as it stands."""
    path: str | None = None
    """This path."""

    @property
    def error(self) -> str:
        """The name of the error, "" for none."""
        return (
            self.said.split(maxsplit=1)[0] if self.result is not None and self.result < 0 and self.said.strip() else ""
        )


@dataclass(slots=True)
class Ended(Line):
    """A thread's end; `status` is a wait status."""

    status: int


@dataclass(slots=True)
class Superseded(Line):
    """The process's first thread has ended because thread `by` calls execve, which goes on under its number."""

    by: int


@dataclass(slots=True)
class Descriptor:
    """A descriptor as an argument or a result: its number, and its path where -y told one."""

    number: int
    path: str | None


def looks_like(line: str) -> bool:
    """Tell whether a line is surely strace's: a system call, whole or not, with or without what -f and -ttt add."""
    rest = line[_prefix(line).end() :]
    call = _CALL.match(rest)
    return bool(call and (_RESULT.match(rest, call.end()) or _UNFINISHED.search(rest)))


def parsed(line: str, source: Input, number_of_line: int) -> Line:
    """Return what a line says that is no whole call; a plain `Line` for signals and notices.

    Raises:
        InputError: it is no line of strace's.
    """
    prefix = _prefix(line)
    rest = line[prefix.end() :]
    tid = number(prefix["marked"] or prefix["plain"] or "")
    time_ns = nanoseconds(prefix["time"]) if prefix["time"] else None
    if call := _CALL.match(rest):
        if rest.endswith(("...>", "= ?", "attached")) and (cut := _UNFINISHED.search(rest)):
            return Begun(tid, time_ns, call["name"], rest[call.end() : cut.start()])
        if end := _RESULT.match(rest, call.end()):
            return _call(tid, time_ns, call["name"], end, resumed=False)
    elif resumed := _RESUMED.match(rest):
        if end := _RESULT.match(rest, resumed.end()):
            return _call(tid, time_ns, resumed["name"], end, resumed=True)
    elif end := _EXIT.match(rest):
        return Ended(tid, time_ns, _status(end["code"], end["signal"]))
    elif superseded := _SUPERSEDED.match(rest):
        return Superseded(tid, time_ns, number(superseded["by"]) or 0)
    elif not rest or _NOTICE.match(rest):
        return Line(tid, time_ns)
    raise source.fail(
        f"no line of strace's: '{printable(line)}'; was the file cut, or did the program print into it? use -o FILE",
        line=number_of_line,
    )


def arguments(text: str) -> list[str]:
    """Return a call's arguments: split at the commas that are not inside strings, brackets or names of descriptors."""
    if _SIMPLE.fullmatch(text):
        return [part.strip() for part in text.split(",")] if text.strip() else []
    found: list[str] = []
    depth = begin = 0
    for token in _MARK.finditer(text):
        mark = token[1]
        if mark is None:
            continue
        if mark == ",":
            if depth == 0:
                found.append(text[begin : token.end() - 1].strip())
                begin = token.end()
        elif mark in "[{(":
            depth += 1
        else:
            depth = max(0, depth - 1)
    last = text[begin:].strip()
    return [*found, last] if last or found else []


@lru_cache(maxsize=128)  # few are in use at once, and a hostile one may be as long as a line
def descriptor(text: str) -> Descriptor | None:
    """Return the descriptor that an argument, or a result with what was said of it, is; None if it is none."""
    match = _DESCRIPTOR.fullmatch(text.strip())
    if not match:
        return None
    value = -100 if match["number"] == "AT_FDCWD" else _integer(match["number"])
    if value is None:
        return None
    name = match["name"]
    if name is None:
        return Descriptor(value, None)
    if "<" in name:
        name = _DEVICE.sub("", name)
    return Descriptor(value, unescaped(name).removesuffix(" (deleted)"))


def string(text: str) -> str | None:
    """Return the string that an argument is; None if it is none, or was cut short."""
    match = _STRING.fullmatch(text)
    return unescaped(match["text"]) if match and not match["cut"] else None


def strings(text: str) -> list[str]:
    """Return all strings in an argument such as ["cat", "file"]; those that were cut short end in dots."""
    return [unescaped(match["text"]) + (match["cut"] or "") for match in _STRING.finditer(text)]


def integer(text: str) -> int | None:
    """Return the integer that an argument is, None if it is none."""
    return _integer(text.strip())


def pointed(text: str) -> int | None:
    """Return the integer behind a pointer, as it was when the call began: of [5], [5] => [9] or [5 => 9]."""
    match = re.match(r"\[(-?\d+)", text)
    return _integer(match[1]) if match else None


def unescaped(text: str) -> str:
    """Return text without strace's escapes; the bytes it stands for, as UTF-8 or surrogates."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_unescape, text)  # every escape is one byte, as a character below 256; the rest is as it was
    return plain.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _unescape(match: re.Match[str]) -> str:
    hexadecimal, octal, letter = match.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    byte = int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 0xFF
    return chr(byte) if byte < 128 else chr(0xDC00 + byte)  # a surrogate until all bytes of the character are there


def _prefix(line: str) -> re.Match[str]:
    match = _PREFIX.match(line)
    assert match  # it may be empty
    return match


def _call(tid: int | None, time_ns: int | None, name: str, end: re.Match[str], *, resumed: bool) -> Call:
    value = end["value"]
    result = None if value == "?" else int(value, 16) if value.startswith("0x") else _integer(value)
    took = nanoseconds(end["took"]) if end["took"] else None
    before, rest = (None, end["arguments"]) if resumed else (end["arguments"], "")
    return Call(tid, time_ns, name, before, rest, result, end["said"], took)


def _status(code: str | None, signal_name: str | None) -> int:
    if code is not None:
        return (number(code) or 0) % 256 << 8
    import signal

    known = getattr(signal.Signals, signal_name or "", None)
    return int(known) if known else 0


def _integer(text: str) -> int | None:
    value = number(text.removeprefix("-"))
    return None if value is None else -value if text.startswith("-") else value
