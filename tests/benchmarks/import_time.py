"""What `import chainrule` adds to NumPy's own import.

    python tests/benchmarks/import_time.py [rounds]

Fresh interpreters import one or the other in turn; the medians and their difference are printed.
"""

import os
import statistics
import subprocess
import sys

CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module):
    """The time one fresh interpreter takes for an import."""
    command = [sys.executable, "-c", CODE.format(module)]
    # As in an installed package, bytecode is kept.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def main(rounds=21):
    seconds("chainrule")
    samples = [(seconds("numpy"), seconds("chainrule")) for _ in range(rounds)]
    numpy, ours = (statistics.median(column) * 1e3 for column in zip(*samples, strict=True))
    added = statistics.median(b - a for a, b in samples) * 1e3
    print(f"NumPy {numpy:.0f} ms, chainrule with NumPy {ours:.0f} ms: {added:.0f} ms more")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
