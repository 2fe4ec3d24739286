"""Atheris on every importer; `make soak` searches for STEPWELL_SOAK_SECONDS, shared among them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.importers.test_import_hostile import WHOLE

pytest.importorskip("atheris", reason="atheris has no wheel for this Python")

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("STEPWELL_SOAK_SECONDS", "0")) // len(WHOLE)


@pytest.mark.parametrize("name", WHOLE)
def test_no_bytes_make_an_importer_fail_otherwise_than_it_should(tmp_path: Path, name: str) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "whole").write_bytes(WHOLE[name])
    length = [f"-max_total_time={SECONDS}"] if SECONDS else ["-runs=503", "-seed=7"]
    options = [*length, "-max_len=4096", "-timeout=20", "-verbosity=0", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, "-m", "tests.fuzz.importers", name, str(corpus), *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *(path for path in sys.path if path)])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS + 300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
