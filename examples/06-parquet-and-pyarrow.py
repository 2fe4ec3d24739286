"""Take a trace elsewhere: Parquet files, one for each view, for pandas, Polars, Spark, or pyarrow as here."""

import json
import subprocess
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

Path("data").write_bytes(bytes(94139))
subprocess.run(
    ["stepwell", "record", "-q", "--", "dd", "if=data", "of=/dev/null", "bs=4093", "status=none"], check=True
)
subprocess.run(["stepwell", "export", "last", "-o", "trace"], check=True)

# The manifest describes every file and column.
manifest = json.loads(Path("trace/manifest.json").read_text())
print("command:", " ".join(manifest["recorder"]["command"]))

files = pq.read_table("trace/files.parquet")
runs = pq.read_table("trace/runs.parquet")
wanted = files.filter(pc.equal(files["path"], str(Path("data").resolve())))["file"]
of_data = runs.filter(pc.is_in(runs["file"], wanted))
print("accesses:", pc.sum(of_data["count"]), "mean latency above 0:", pc.sum(of_data["latency_ns"]).as_py() > 0)
