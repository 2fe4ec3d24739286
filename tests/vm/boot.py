"""Other kernels: Debian's, booted in an emulator over this machine's own files, to run one command."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
SECONDS = 900
"""Longest time a guest may take: it is emulated, so it is about 20 times as slow as this machine."""


@dataclass(frozen=True)
class Kernel:
    """A Debian kernel package, unpacked."""

    image: Path
    modules: Path

    @classmethod
    def fetch(cls, package: str, directory: Path) -> Kernel:
        """Download the newest kernel that the package stands for, without installing it."""
        directory.mkdir(parents=True)
        depends = _run("apt-cache", "depends", "--important", package, cwd=directory).stdout
        (name,) = re.findall(r"Depends: (linux-image-\S+)", depends)
        _run("apt-get", "download", "-qq", name, cwd=directory)
        (archive,) = directory.glob("*.deb")
        _run("dpkg", "-x", str(archive), "unpacked", cwd=directory)
        archive.unlink()
        root = directory / "unpacked"
        (image,) = (root / "boot").glob("vmlinuz-*")
        release = image.name.removeprefix("vmlinuz-")
        _run("depmod", "-b", str(root), release, cwd=directory)
        return cls(image, root / "lib" / "modules" / release)

    def run(self, command: list[str], cwd: Path, directory: Path) -> tuple[int, str]:
        """Return exit code and output of a command of this machine under this kernel; `directory` is for scratch."""
        directory.mkdir(parents=True, exist_ok=True)
        files = _initial_files(self, f"cd {shlex.quote(str(cwd))} && {shlex.join(command)}", directory)
        disk, socket = directory / "disk.img", directory / "files.socket"
        with disk.open("wb") as file:
            file.truncate(2 << 30)
        _run("mkfs.ext4", "-q", str(disk), cwd=directory)
        options = ["-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"]
        with (directory / "virtiofsd.log").open("w") as log:
            server = subprocess.Popen([VIRTIOFSD, f"--socket-path={socket}", *options], stdout=log, stderr=log)
        try:
            while not socket.exists():
                assert server.poll() is None, (directory / "virtiofsd.log").read_text()
            return _boot(self.image, files, disk, socket)
        finally:
            server.kill()
            server.wait()
            disk.unlink()


def missing() -> list[str]:
    """Return the programs that are needed and not here."""
    programs = ["qemu-system-x86_64", "apt-get", "depmod", "busybox", "cpio", "mkfs.ext4", str(VIRTIOFSD)]
    return [program for program in programs if shutil.which(program) is None]


def _run(*argv: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=True, cwd=cwd, input=stdin, capture_output=True, text=True)


def _initial_files(kernel: Kernel, command: str, directory: Path) -> Path:
    """Return the file system that the kernel starts with."""
    root = directory / "initial"
    for place in ("bin", "proc", "sys", "dev", "lib/modules"):
        (root / place).mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/busybox", root / "bin")
    shutil.copy(Path(__file__).parent / "init.sh", root / "init")
    (root / "init").chmod(0o755)
    (root / "command").write_text(command)
    shutil.copytree(kernel.modules, root / "lib" / "modules" / kernel.modules.name, symlinks=True, dirs_exist_ok=True)
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*")))
    archive = directory / "initial.cpio"
    _run("cpio", "--create", "--format=newc", "--quiet", "-F", str(archive), cwd=root, stdin=names)
    shutil.rmtree(root)
    return archive


def _boot(image: Path, files: Path, disk: Path, socket: Path) -> tuple[int, str]:
    memory = "2G"
    # One thread for both processors: with one each, a processor may run an instruction that another has just replaced,
    # which attaching to functions does.
    machine = [
        *("-machine", "q35,memory-backend=memory", "-cpu", "max", "-accel", "tcg,thread=single", "-smp", "2"),
        *("-object", f"memory-backend-memfd,id=memory,size={memory},share=on", "-m", memory),
        *("-drive", f"file={disk},if=virtio,format=raw"),
        *("-chardev", f"socket,id=files,path={socket}", "-device", "vhost-user-fs-pci,chardev=files,tag=root"),
        *("-nic", "none", "-nographic", "-no-reboot"),
    ]
    start = ["-kernel", str(image), "-initrd", str(files), "-append", "console=ttyS0 quiet panic=-1 mitigations=off"]
    done = subprocess.run(
        ["qemu-system-x86_64", *machine, *start],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
    )
    text = done.stdout.decode(errors="replace").replace("\r", "")
    code = re.search(r"^exit code (\d+)\.$", text, re.MULTILINE)
    assert code, text
    return int(code.group(1)), text
