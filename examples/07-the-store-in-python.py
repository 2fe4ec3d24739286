"""Ask the store from Python: rows come as Arrow batches, as they are made."""

import subprocess
from pathlib import Path

from stepwell.store import Store

Path("data").write_bytes(bytes(94139))
here = Path("own.duckdb")  # without --store it is stepwell/stepwell.duckdb in ~/.local/share
command = ["dd", "if=data", "of=/dev/null", "bs=4093", "status=none"]
subprocess.run(["stepwell", "--store", str(here), "record", "--quiet", "--", *command], check=True)

with Store.open(here, "r") as store:
    trace = store.latest_trace()
    print("trace", trace, "lost", store.traces()[-1]["lost"])
    for batch in store.query(f"select \"offset\", size from accesses where trace = {trace} and path like '%/data'"):
        print(batch.num_rows, "accesses,", sum(batch["size"].to_pylist()), "bytes")
