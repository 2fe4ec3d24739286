"""Makes what is not Python: the BPF objects, the native libraries, and Vega's JavaScript for the HTML report.

Hatchling runs the hook for wheels and editable installs alike; `make native`
runs this file itself.  The results lie beside their sources, where the package
looks for them, and are rebuilt only when something they are made of is newer.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = {
    "apt-get install": "clang llvm gcc libc6-dev libbpf-dev libelf-dev zlib1g-dev",
    "dnf install": "clang llvm gcc glibc-devel libbpf-devel libbpf-static elfutils-libelf-devel zlib-devel",
}
"""What the compilation needs, on Debian and on Fedora."""

BPF_ARCHITECTURES = {"x86_64": "x86", "aarch64": "arm64"}
"""The machine as `bpf_tracing.h` names it."""


class Target(NamedTuple):
    """One file to build: the commands that make `output` from `sources`."""

    output: Path
    sources: list[Path]
    commands: list[list[str]]

    def is_stale(self, headers: list[Path]) -> bool:
        """Whether the output is missing or older than something it is made of."""
        if not self.output.exists():
            return True
        built = self.output.stat().st_mtime_ns
        return any(path.stat().st_mtime_ns > built for path in [*self.sources, *headers, Path(__file__)])


# libbpf is linked in, so that its version is the tested one everywhere; `native/wrapped.c` tells why it is wrapped.
LIBBPF = ["-Wl,--wrap=stderr,--wrap=bpf_btf_get_next_id,--exclude-libs,ALL,-z,text", "-l:libbpf.a", "-lelf"]


def targets(root: Path) -> list[Target]:
    """The files to build in the checkout `root`."""
    package = root / "collectors" / "stepwell"
    collecting, analysing = package / "collectors" / "native", root / "analysis" / "stepwell" / "analysis" / "native"
    storing = root / "analysis" / "stepwell" / "store" / "native"
    acting = root / "injector" / "stepwell"
    # The prefix map keeps this checkout's path out of the results, so that the same sources give the same bytes.
    include = ["-I", str(package), f"-ffile-prefix-map={root}=/stepwell"]
    return [
        *(_bpf_object(source, include) for source in sorted((package / "collectors" / "ebpf").glob("*.bpf.c"))),
        *_library(collecting / "libstepwell.so", include, [*LIBBPF, "-lz", "-lpthread"]),
        *_library(analysing / "libanalysis.so", include, ["-lm"]),
        *_library(storing / "libstore.so", include, []),
        *_library(acting / "replay" / "native" / "libreplay.so", include, ["-lpthread"]),
        *_library(acting / "prefetch" / "native" / "libprefetch.so", include, ["-lpthread"]),
        *_library(acting / "bench" / "native" / "libbench.so", include, ["-lpthread"]),
        _vega(root, root / "injector" / "stepwell" / "cli" / "report" / "assets" / "vega.js"),
    ]


def _vega(root: Path, output: Path) -> Target:
    """Vega, Vega-Lite and Vega-Embed in one script: bundling takes vl-convert two seconds, too long for each report."""
    bundled = 'vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed")'
    code = f"import pathlib, sys, vl_convert; pathlib.Path(sys.argv[1]).write_text({bundled}, encoding='utf-8')"
    return Target(output, [root / "pyproject.toml"], [[sys.executable, "-c", code, str(output)]])


def _bpf_object(source: Path, include: list[str]) -> Target:
    output = source.with_suffix(".o")
    # Debian keeps <asm/*.h> in a folder that clang does not search when the target is bpf.
    multiarch = sysconfig.get_config_var("MULTIARCH")
    system = ["-idirafter", f"/usr/include/{multiarch}"] if multiarch else []
    machine = platform.machine()
    architecture = f"-D__TARGET_ARCH_{BPF_ARCHITECTURES.get(machine, machine)}"
    # BPF_PROG() declares a parameter that not every program uses.
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function"]
    flags = ["-g", "-O2", "-ffreestanding", *warnings, "-target", "bpf", "-mcpu=v3", architecture, *include, *system]
    return Target(
        output,
        [source],
        [
            ["clang", *flags, "-c", str(source), "-o", str(output)],
            ["llvm-strip", "-g", str(output)],  # drops DWARF, keeps the BTF that libbpf relocates by
        ],
    )


def _library(output: Path, include: list[str], libraries: list[str]) -> list[Target]:
    """The shared library of all C files beside it, if there are any."""
    sources = sorted(output.parent.glob("*.c"))
    if not sources:
        return []
    # -O3 turns searches through a stream's heads into vectors: a seventh of the time of each random access.
    flags = ["-O3", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", *include]
    return [Target(output, sources, [["cc", *flags, *map(str, sources), "-o", str(output), *libraries]])]


def build(root: Path) -> list[Path]:
    """Builds what is stale and returns all outputs.

    Raises:
        SystemExit: a compiler is missing or fails; the message says what to install.
    """
    headers = sorted(path for room in ("collectors", "analysis", "injector") for path in (root / room).rglob("*.h"))
    wanted = targets(root)
    for target in wanted:
        if target.is_stale(headers):
            for command in target.commands:
                _run(command, target.output)
    return [target.output for target in wanted]


def _run(command: list[str], output: Path) -> None:
    print("building", output.name, "with", command[0], file=sys.stderr)
    if shutil.which(command[0]) is None:
        _fail(output, f"{command[0]} is not installed")
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        _fail(output, f"{command[0]} says\n{done.stderr.strip()}")


def _fail(output: Path, reason: str) -> None:
    output.unlink(missing_ok=True)
    install = "\n".join(f"    {tool} {packages}" for tool, packages in PACKAGES.items())
    raise SystemExit(f"{output.name} cannot be built: {reason}\nIf something is missing, install it with\n{install}")


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the compiled files into the wheel and marks it as bound to this platform."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Builds before hatchling collects the files; the same for wheels and editable installs."""
        root = Path(self.root)
        build_data["artifacts"] += [f"/{output.relative_to(root)}" for output in build(root)]
        build_data["pure_python"] = False
        # The libraries are loaded by ctypes, so that any Python fits; only the platform matters.
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


if __name__ == "__main__":
    build(Path(__file__).parent.parent)
