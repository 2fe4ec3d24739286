"""What users install: built from the checkout, tried where there is nothing else."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {
    f"stepwell/cli/report/assets/{name}"
    for name in (
        *("frame.html", "frame.css", "frame.js", "parts.html"),
        *("page.html", "page.js", "measured.html", "measured.js"),
    )
}
PROTOCOL = "stepwell/prefetch/PROTOCOL.md"
"""The engine's messages name it."""
COMPILED = {
    "stepwell/collectors/ebpf/access.bpf.o",
    "stepwell/collectors/native/libstepwell.so",
    "stepwell/analysis/native/libanalysis.so",
    "stepwell/store/native/libstore.so",
    "stepwell/prefetch/native/libprefetch.so",
    "stepwell/bench/native/libbench.so",
    "stepwell/cli/report/assets/vega.js",
    "stepwell/replay/native/libreplay.so",
}


class Built(NamedTuple):
    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of this checkout, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Built(sdist=next(folder.glob("*.tar.gz")), wheel=next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def repaired(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `make wheel` leaves it."""
    folder = tmp_path_factory.mktemp("repaired")
    command = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(folder), str(built.wheel)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(repaired: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a virtual environment with the wheel; dependencies come from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "pip", "install", "-q", "--offline", "--no-deps", "--python", python, repaired], check=True)
    site = sysconfig.get_path("purelib", vars={"base": str(folder)})
    # A path in a .pth file brings the folder, but not its own .pth files: the editable install stays out.
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def sources() -> set[str]:
    """All Python files of the namespace as the checkout has them, by their path from `stepwell`'s parent."""
    return {str(path.relative_to(room.parent)) for room in ROOT.glob("*/stepwell") for path in room.rglob("*.py")}


def test_wheel_holds_what_the_editable_install_sees(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if name.startswith("stepwell/")}
    assert {name for name in names if name.endswith(".py")} == sources()
    others = {name for name in names if Path(name).suffix not in {".py", ".typed"} and not name.endswith("/")}
    assert others == COMPILED | PAGES | {PROTOCOL}


def test_wheel_fits_any_python_on_this_platform_only(built: Built) -> None:
    platform = sysconfig.get_platform().replace("-", "_")
    assert built.wheel.name.endswith(f"-py3-none-{platform}.whl")


def test_compiled_files_do_not_tell_where_they_were_built(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        for name in COMPILED:
            content = wheel.read(name)
            assert str(ROOT).encode() not in content
            assert tempfile.gettempdir().encode() not in content


def test_sdist_holds_sources_and_tests_and_nothing_compiled(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = ["LICENSE", "Makefile", "uv.lock", "collectors/stepwell/trace/run.h", "tests/unit/test_wheel.py"]
    assert set(wanted) <= names
    assert {name for name in names if name.endswith((".o", ".so"))} == set()


def test_installed_command_answers(installed: Path, tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = subprocess.run(
        [installed / "stepwell", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert version in done.stdout


def test_installed_modules_are_the_wheels(installed: Path, tmp_path: Path) -> None:
    program = "import stepwell.cli, stepwell.collectors as c; print(c.__file__)"
    done = subprocess.run(
        [installed / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout).is_relative_to(installed.parent)


def test_installed_library_brings_its_own_libelf(installed: Path, tmp_path: Path) -> None:
    program = """from stepwell.collectors.native.library import library
library()
print({line.split()[-1] for line in open("/proc/self/maps") if "libelf" in line})"""
    done = subprocess.run(
        [installed / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (loaded,) = ast.literal_eval(done.stdout)
    assert Path(loaded).is_relative_to(installed.parent)


def test_only_what_is_stale_is_compiled_and_a_missing_compiler_is_named(built: Built, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", built.sdist, "-C", tmp_path], check=True)
    collectors = next(tmp_path.iterdir()) / "collectors"

    def compile_with(path: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(collectors / "hatch_build.py")]
        return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)

    first = compile_with(os.environ["PATH"])
    assert first.returncode == 0, first.stderr
    outputs = {collectors / name for name in COMPILED if name.startswith("stepwell/collectors/")}
    assert {path for path in collectors.rglob("*.*o") if path.suffix in {".o", ".so"}} == outputs

    fresh = compile_with("/nonexistent")
    assert (fresh.returncode, fresh.stderr) == (0, "")

    newest = max(path.stat().st_mtime_ns for path in outputs)
    os.utime(collectors / "stepwell" / "trace" / "run.h", ns=(newest + 1, newest + 1))
    stale = compile_with("/nonexistent")
    assert stale.returncode == 1
    assert "access.bpf.o cannot be built: clang is not installed" in stale.stderr
    for package in ("clang", "libbpf-dev", "libbpf-devel", "libelf-dev", "elfutils-libelf-devel"):
        assert package in stale.stderr.split()


@pytest.mark.kernel
def test_installed_command_records_where_there_is_no_compiler(installed: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "cat").symlink_to("/bin/cat")
    data = tmp_path / "data"
    data.write_bytes(os.urandom(23 * 4093))

    def stepwell(*arguments: str | Path) -> bytes:
        command = [installed / "stepwell", "--store", tmp_path / "store.duckdb", *arguments]
        environment = {"PATH": str(tools), "HOME": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    assert stepwell("record", "--", "cat", data) == data.read_bytes()
    reads = f"select trace, sum(size)::bigint as seen from accesses where path = '{data}' group by trace"
    question = f"select seen, lost from traces join ({reads}) using (trace)"
    assert json.loads(stepwell("query", "-o", "json", question)) == [{"seen": 23 * 4093, "lost": 0}]
