"""The table of docs/compile.md: chainrule, eager and compiled, beside its peers.

    python tests/benchmarks/table.py path/to/bench.py [-t 1] [-r 11] [-w W3,W4] [-p jax_jit]

`bench.py` is the project's yardstick. Every number is the median, over interleaved samples, of the
ratio to tutorial-style hand-written NumPy; plain Python floats for W1, W2 and W8. A result that is
not that of hand-written NumPy is shown as MISMATCH.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PEERS = "np_opt,torch_eager,torch_compile,jax_jit,hips,mygrad_,micro"
OWN = {f"={HERE / 'adapter.py'}": "eager", f"={HERE / 'compiled.py'}": "compiled"}
BASE = "np_naive"


def ratio(record, base):
    """The median of paired ratios, or why there is none."""
    if isinstance(record.get("verify"), str):
        return record["verify"].split(" ")[0]
    if not record.get("t"):
        return "–"
    pairs = zip(record["t"], base["t"], strict=False)
    return f"{statistics.median(own / naive for own, naive in pairs):.3g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bench", type=Path)
    parser.add_argument("-t", "--threads", default="1")
    parser.add_argument("-r", "--rounds", default="11")
    parser.add_argument("-w", "--workloads", default="")
    parser.add_argument("-p", "--peers", default=PEERS)
    options = parser.parse_args()
    peers = [peer for peer in options.peers.split(",") if peer]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, str(options.bench), "run", "-t", options.threads]
        command += ["-r", options.rounds, "-w", options.workloads, "-o", str(result)]
        command += ["-p", ",".join([BASE, *peers, *OWN])]
        subprocess.run(command, check=True, stdout=sys.stderr)
        work = json.loads(result.read_text())["work"]
    names = [*peers, *OWN]
    print("| |", " | ".join(OWN.get(name, name) for name in names), "|")
    print("|---" * (len(names) + 1) + "|")
    for workload, records in work.items():
        cells = [ratio(records.get(name, {}), records[BASE]) for name in names]
        print(f"| {workload} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
