"""Atheris on every importer; `make soak` searches for STEPWELL_SOAK_SECONDS, shared among them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.importers.test_import_darshan import SMALLEST
from tests.unit.importers.test_import_hostile import WHOLE

pytest.importorskip("atheris", reason="atheris has no wheel for this Python")

ROOT = Path(__file__).parents[2]
CORPUS = WHOLE | {"darshan": SMALLEST}
SECONDS = int(os.environ.get("STEPWELL_SOAK_SECONDS", "0")) // len(CORPUS)
RUNS = dict.fromkeys(CORPUS, 503) | {"darshan": 31}  # each starts a process that loads Darshan's library


@pytest.mark.parametrize("name", CORPUS)
def test_no_bytes_make_an_importer_fail_otherwise_than_it_should(tmp_path: Path, name: str) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "whole").write_bytes(CORPUS[name])
    length = [f"-max_total_time={SECONDS}"] if SECONDS else [f"-runs={RUNS[name]}", "-seed=7"]
    options = [
        *length,
        f"-max_len={max(4096, len(CORPUS[name]))}",
        "-timeout=20",
        "-verbosity=0",
        f"-artifact_prefix={tmp_path}/",
    ]
    command = [sys.executable, "-m", "tests.fuzz.importers", name, str(corpus), *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *(path for path in sys.path if path)])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS + 300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
