"""libFuzzer on the coalescer, with the sanitizers for addresses and undefined behaviour.

By default a short search from a fixed seed, the same every time; `make soak` searches for STEPWELL_SOAK_SECONDS.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS = int(os.environ.get("STEPWELL_SOAK_SECONDS", "0"))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("fuzz") / "coalescer"
    flags = [
        "-g",
        "-O1",
        "-fsanitize=fuzzer,address,undefined",
        "-fno-sanitize-recover=all",
        "-Wall",
        "-Wextra",
        "-Werror",
    ]
    include = ["-I", str(ROOT / "collectors" / "stepwell")]
    subprocess.run(["clang", *flags, *include, str(HERE / "coalescer.c"), "-o", str(program)], check=True)
    return program


def test_no_input_makes_the_coalescer_lose_or_invent_an_access(target: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    length = [f"-max_total_time={SECONDS}"] if SECONDS else ["-runs=200003", "-seed=7"]
    command = [str(target), str(corpus), *length, "-max_len=2048", "-verbosity=0", f"-artifact_prefix={tmp_path}/"]
    without_leaks = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # it allocates nothing
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS + 300, env=without_leaks
    )
    assert done.returncode == 0, done.stderr
    assert len(list(corpus.iterdir())) > 23, "the search found no paths: is the target instrumented?"
