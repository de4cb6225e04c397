"""`make bench`: every benchmark of this folder, one after the other, and one table of all figures at the end.

    python benchmarks/all.py [--quick] [NAME ...]

``--quick`` takes some two minutes and shows that everything runs; its figures are too few to be quoted. Without it, it
is half an hour on two cores, most of it a log of 200,000 exchanges that is made and audited.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from figures import begin_anew, latest, table

HERE = Path(__file__).parent
#: In this order; each is a script that keeps its figures, and can be run alone.
PARTS = (
    "run", "lookup", "translation", "budgets", "batch", "outbox", "ledger", "publication", "disclosures", "sizing",
    "audit",
)  # fmt: skip


def main() -> int:
    """Runs them; 1 where one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*", choices=[[], *PARTS], default=[])
    asked = parser.parse_args()
    names = [name for name in asked.names or PARTS if (HERE / f"{name}.py").exists()]
    if not asked.names:
        begin_anew(quick=asked.quick)
    failed = []
    for name in names:
        print(f"== {name}", file=sys.stderr, flush=True)
        command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if asked.quick else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"\n{table(latest(quick=asked.quick).items())}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
