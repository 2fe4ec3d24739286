"""A running JuiceFS client, and its options changed by mounting again.

`juicefs mount` over a mount point that JuiceFS serves takes the FUSE session over from the running client, with all
open files, when it is the same volume with the same FUSE options (juicedata/juicefs cmd/mount_unix.go,
canShutdownGracefully and shutdownGraceful; since version 1.2).  Where it cannot, it mounts on top: that is noticed
here and taken away again.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stepwell.mounts.errors import MountError
from stepwell.mounts.juicefs_config import config
from stepwell.mounts.table import Mount, mounts

NAMES = ("prefetch", "max-readahead", "buffer-size")
"""Options that can be changed: blocks fetched besides a read inside one, MiB read ahead of a head, MiB of buffer."""

PATIENCE = 120.0
"""Seconds that mounting again may take: it waits a minute for the former client (shutdownGraceful), then mounts."""

_OWN = {"__DAEMON_STAGE", "JFS_SUPERVISOR", "_FUSE_FD_COMM", "_FUSE_STATE_PATH", "_JFS_META_SID"}
"""What JuiceFS tells its own processes by their environment (cmd/mount_unix.go, launchMount)."""


@dataclass(frozen=True)
class Client:
    """A client that can be mounted again: how it was started, by whom and where."""

    binary: str
    arguments: tuple[str, ...]
    """Of the command line, from the command's name on."""
    environment: Mapping[bytes, bytes]
    directory: str
    user: int
    group: int
    groups: tuple[int, ...]
    options: Mapping[str, int]
    """The values of `NAMES`."""
    cache: int | None
    """Bytes of its cache; None where it does not say."""


def find(mount: Mount) -> Client:
    """Return the client that serves a mount.

    Raises:
        MountError: it cannot be mounted again, or not by this process.
    """
    told = config(mount.point)
    pid = told.get("Pid")
    if not pid or not told.get("CommPath"):
        raise MountError(f"JuiceFS {told.get('Version')} at {mount.point} hands no session over; 1.2 or later does")
    if told.get("Chunk", {}).get("Writeback"):
        raise MountError(f"JuiceFS at {mount.point} holds writes back; mount it without --writeback")
    process = Path(f"/proc/{pid}")
    try:
        if (process / "ns/mnt").stat().st_ino != Path("/proc/self/ns/mnt").stat().st_ino:
            raise MountError(f"JuiceFS at {mount.point} runs in another container; change its options there")
        if any(line.endswith(".service") for line in (process / "cgroup").read_text().splitlines()):
            raise MountError(f"JuiceFS at {mount.point} is a system service; change its options there")
        environment = _environment(process)
        identity = _identity(process)
        binary, directory = str((process / "exe").readlink()), str((process / "cwd").readlink())
        arguments = _arguments(process)
    except OSError as error:
        raise MountError(
            f"the JuiceFS client of {mount.point} (process {pid}) is not to be seen: {error.strerror}; run as its user"
        ) from error
    _fit(mount, arguments, binary, environment)
    cache = told.get("Chunk", {}).get("CacheSize")
    return Client(binary, arguments, environment, directory, *identity, options=_options(told), cache=cache)


def given(arguments: tuple[str, ...]) -> dict[str, str | None]:
    """Return which of `NAMES` a command line gives, each as it is written there; None where it does not."""
    return dict.fromkeys(NAMES) | {name: value for name, value, _ in _options_in(arguments)}


def with_options(arguments: tuple[str, ...], options: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return a command line with options set to other values; None leaves one out."""
    drop = {at for name, _, places in _options_in(arguments) if name in options for at in places}
    kept = [word for at, word in enumerate(arguments) if at not in drop]
    after = kept.index("mount") + 1
    told = [word for name, value in options.items() if value is not None for word in (f"--{name}", value)]
    return (*kept[:after], *told, *kept[after:])


def command(client: Client, options: Mapping[str, str | None]) -> str:
    """Return the command that mounts again with other options, to be shown; a password is left out."""
    words = with_options(client.arguments, options)
    return shlex.join((client.binary, *map(_public, words[1:])))


def again(mount: Mount, client: Client, options: Mapping[str, str | None]) -> Client:
    """Mount again with other options; return the client that serves the mount now.

    Raises:
        MountError: the former client serves on.
    """
    layers = _layers(mount)
    arguments = with_options(client.arguments, options)
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [client.binary, *arguments[1:]],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=dict(client.environment),
                cwd=client.directory,
                user=client.user,
                group=client.group,
                extra_groups=client.groups if os.geteuid() == 0 else None,
                start_new_session=True,  # it is to end what it has begun, whatever becomes of this process
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise MountError(f"{client.binary} cannot be started: {error}; {mount.point} stays as it is") from error
        try:
            # Never killed: between the two clients it alone holds the session.
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise MountError(f"{client.binary} has not mounted {mount.point} in {PATIENCE:.0f} s; look at it") from None
        said.seek(0)
        words = said.read().decode(errors="replace").strip().splitlines()
    if _layers(mount) > layers:
        subprocess.run(["umount", "--lazy", mount.point], check=False, capture_output=True)
        raise MountError(f"JuiceFS did not take {mount.point} over; it serves on as before")
    if code:
        raise MountError(f"JuiceFS refuses to mount {mount.point} again: {_last(words)}; it serves on as before")
    return replace(client, arguments=arguments, options=_options(config(mount.point)))


def fetched(mount: Mount) -> int | None:
    """Return the bytes that a client has got from its object storage since it began; None where it does not say."""
    for name in (".stats", ".jfs.stats"):
        with contextlib.suppress(OSError):
            for line in (Path(mount.point) / name).read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "juicefs_object_request_data_bytes_GET":
                    return int(float(value))
            return 0
    return None


def _options(told: dict[str, Any]) -> dict[str, int]:
    chunk = told.get("Chunk", {})
    keys = zip(NAMES, ("Prefetch", "Readahead", "BufferSize"), (1, 1 << 20, 1 << 20), strict=True)
    return {name: int(chunk.get(key, 0)) // unit for name, key, unit in keys}


def _arguments(process: Path) -> tuple[str, ...]:
    """Return a client's command line.

    In the background JuiceFS shows its words joined, without passwords, and 255 bytes at most (cmd/proc_title.go;
    gspt's SPT_MAXTITLE).  The agent for debugging that it has tells them as they were (net/http/pprof, Cmdline).
    """
    import http.client
    import urllib.request

    shown = (process / "cmdline").read_bytes().rstrip(b"\0")
    # Not through a proxy that this user may have.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for port in _ports(process) if b"\0" not in shown else ():
        with (
            contextlib.suppress(OSError, http.client.HTTPException),  # other ports speak other languages
            opener.open(f"http://127.0.0.1:{port}/debug/pprof/cmdline", timeout=5) as answer,
        ):
            shown = answer.read(1 << 20)
            break
    return tuple(os.fsdecode(word) for word in shown.split(b"\0"))


def _ports(process: Path) -> list[int]:
    """Return the ports on which a process listens at 127.0.0.1 (proc_pid_net(5))."""
    links = set()
    for one in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile: it serves a mount
            links.add(os.readlink(one))  # noqa: PTH115 -- of a link that is no path
    lines = [line.split() for line in (process / "net/tcp").read_text().splitlines()[1:]]
    return [
        int(fields[1].partition(":")[2], 16)
        for fields in lines
        if fields[3] == "0A" and fields[1].startswith("0100007F:") and f"socket:[{fields[9]}]" in links
    ]


def _fit(mount: Mount, arguments: tuple[str, ...], binary: str, environment: Mapping[bytes, bytes]) -> None:
    """Refuse a client whose end or new start would be more than other options."""
    if "mount" not in arguments or mount.point not in arguments:
        raise MountError(
            f"how JuiceFS was mounted at {mount.point} is not to be seen; mount it with `juicefs mount`, not --no-agent"
        )
    if not {"-d", "--background"} & set(arguments):
        raise MountError(f"JuiceFS at {mount.point} runs in the foreground, somebody waits for it; mount it with -d")
    if b"JFS_SUPER_COMM" in environment:
        raise MountError(f"JuiceFS at {mount.point} is another program's; change its options there")
    if not Path(binary).is_file():
        raise MountError(f"JuiceFS at {mount.point} runs from a file that is gone, {binary}; mount it anew")


def _environment(process: Path) -> dict[bytes, bytes]:
    pairs = (pair.partition(b"=") for pair in (process / "environ").read_bytes().split(b"\0") if pair)
    return {name: value for name, equals, value in pairs if equals and os.fsdecode(name) not in _OWN}


def _identity(process: Path) -> tuple[int, int, tuple[int, ...]]:
    """Return a process's user, group and other groups."""
    lines = (line.split(":", 1) for line in (process / "status").read_text().splitlines())
    status = {name: value.split() for name, value in lines}
    return int(status["Uid"][0]), int(status["Gid"][0]), tuple(map(int, status["Groups"]))


def _layers(mount: Mount) -> int:
    return sum(one.point == mount.point for one in mounts())


def _options_in(arguments: tuple[str, ...]) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return those of `NAMES` that are given: name, value, and where their words stand."""
    found: list[tuple[str, str, tuple[int, ...]]] = []
    for at, word in enumerate(arguments):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name in NAMES:
            if equals:
                found.append((name, value, (at,)))
            elif at + 1 < len(arguments):
                found.append((name, arguments[at + 1], (at, at + 1)))
    return found


def _public(word: str) -> str:
    scheme, separator, rest = word.partition("://")
    who, at, host = rest.rpartition("@")
    if not (separator and at and ":" in who):
        return word
    return f"{scheme}://{who.partition(':')[0]}:****@{host}"


def _last(lines: list[str]) -> str:
    return lines[-1] if lines else "it says nothing"
