"""The audit against `openssl speed`, and its memory: `python benchmarks/audit.py [--exchanges N] [--log FOLDER]`.

`audit_over_openssl`: how long `openssl speed` needs, on all cores, for as many P-256 verifications as the log's
exchanges hold, over how long the audit needs for the log; `..._cpu` is the same of one process, for a hundredth of the
exchanges, in processor time, which a busy machine does not change. The log is a real one (making.py):
200,000 exchanges, half echoes (2 signatures) and half verifications (4), which two cores make in eight minutes; with
`--log` one that was made before, by `making.make`. `audit_rss_growth`: the largest resident memory of the audit's main
process on 200,000 entries, over that on 20,000; those logs are of void leaves.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from figures import Figure, keep
from making import SIGNATURES, AnotherWorker, make

from gateway.audit.audit import audit
from gateway.keys.files import FileKeystore
from gateway.ledger.encoding import canonical_json
from gateway.ledger.leaf import Leaf, binding
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import Checkpoint, LogKey, sign_checkpoint
from gateway.ledger.publish import Publisher
from gateway.ledger.record import Record
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from tests.audit.gateway_run import Gateway

EXCHANGES, QUICK = 200_000, 2_000
_ONE_PROCESS = 1_000
_SPEED = re.compile(r"^\s*256 bits ecdsa.*\s(\S+)\s*$", re.MULTILINE)


def openssl_verifications(cores: int) -> float:
    """P-256 verifications a second, on so many cores; of one core's own time, whatever else the machine does."""
    command = ["openssl", "speed", "-seconds", "3", *(["-multi", str(cores)] if cores > 1 else []), "ecdsap256"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(_SPEED.findall(done.stdout)[-1])


def signatures(exchanges: int) -> int:
    """How many such a log holds."""
    return exchanges // 2 * sum(SIGNATURES.values())


def over_openssl(made: Gateway, cores: int) -> dict[str, Figure]:
    """The audit of the whole log by all cores, against openssl just before it."""
    log, trust = made.settings.folders.log, made.folder / "trust"
    speed = openssl_verifications(cores)
    start = time.perf_counter()
    verdict = audit(log, trust)
    took = time.perf_counter() - start
    if not verdict.holds:
        raise SystemExit(f"the log does not hold: {verdict.findings[:3]}")
    count = verdict.facts.exchanges
    what = f"openssl's time for the P-256 signatures of {count:,} exchanges over the audit's, {cores} cores"
    return {
        "audit_over_openssl": Figure(round(signatures(count) / speed / took, 3), "ratio", 1, what),
        "audit_exchanges_per_s": Figure(round(count / took, 1), "1/s", 1, f"the same audit: {took:.0f} s"),
    }


def over_openssl_cpu(made: Gateway, exchanges: int) -> dict[str, Figure]:
    """The audit by one process, in processor time."""
    speed = openssl_verifications(1)
    start = time.process_time()
    audit(made.settings.folders.log, made.folder / "trust", jobs=1)
    worked = time.process_time() - start
    what = f"the same of one process, in processor time, {exchanges:,} exchanges"
    return {"audit_over_openssl_cpu": Figure(round(signatures(exchanges) / speed / worked, 3), "ratio", 1, what)}


def void_log(made: Gateway, folder: Path, entries: int) -> Path:
    """A log of one writer's void leaves, after the genesis of a real one; signed by the same key."""
    keys = made.settings.folders.keys
    key = LogKey.parse((keys / "log.vkey").read_text())
    genesis = {"v": 1, "kind": "genesis", "origin": key.name, "log_key": key.vkey}
    genesis["policy"] = (made.folder / "trust" / "genesis").read_text().strip()
    randomness, now, writer = SystemRandomness(), SystemClock().now(), SystemRandomness().uuid()
    publisher, tree, salt = Publisher(folder / "log", folder / "log.tmp"), CompactRange(), bytes(32)
    for number in range(entries):
        said = {"v": 1, "kind": "void", "writer": str(writer), "counter": number, "reason": "abandoned"}
        evidence = canonical_json(said if number else genesis)
        bound = binding(salt, evidence)
        leaf = Leaf("void" if number else "genesis", randomness.uuid(), writer, number, now, bound).pack()
        publisher.append(leaf, Record(salt, evidence).pack())
        tree.append(leaf_hash(leaf))
    keystore = FileKeystore(keys, signing=["log"])
    publisher.finish(sign_checkpoint(Checkpoint(key.name, tree.size, tree.root()), key, keystore))
    (folder / "log" / "objects").mkdir(exist_ok=True)
    for path in (made.settings.folders.log / "objects").iterdir():
        (folder / "log" / "objects" / path.name).write_bytes(path.read_bytes())
    return folder / "log"


def growth(made: Gateway, scratch: Path, sizes: tuple[int, int]) -> dict[str, Figure]:
    """The audit's memory on the larger log over that on the smaller."""
    trust = made.folder / "trust"
    small, large = (memory(void_log(made, scratch / str(size), size), trust) for size in sizes)
    what = f"largest resident memory, {sizes[1]:,} entries over {sizes[0]:,} ({large // 1024} MiB)"
    return {"audit_rss_growth": Figure(round(large / small, 3), "ratio", 1, what)}


def memory(log: Path, trust: Path) -> int:
    """The largest resident memory of an audit in a process of its own, KiB."""
    command = [sys.executable, __file__, "--memory", str(log), str(trust)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--exchanges", type=int)
    parser.add_argument("--log", type=Path)
    asked = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    count = asked.exchanges or (QUICK if asked.quick else EXCHANGES)
    with tempfile.TemporaryDirectory(prefix="passerelle-bench-") as scratch:
        folder = Path(scratch)
        started = time.perf_counter()
        made = AnotherWorker(asked.log) if asked.log else make(folder / "gateway", count, cores)
        took = time.perf_counter() - started
        figures = over_openssl(made, cores)
        part = max(_ONE_PROCESS, count // 100)
        figures |= over_openssl_cpu(make(folder / "part", part, 1), part)
        figures |= growth(made, folder, (2_000, 20_000) if asked.quick else (20_000, 200_000))
        if not asked.log:
            figures["audit_log_made_s"] = Figure(round(took), "s", 1, f"to make the log of {count:,} exchanges")
        made.worker.close()
    keep(figures, quick=asked.quick)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        if not audit(Path(sys.argv[2]), Path(sys.argv[3])).holds:
            raise SystemExit("the log does not hold")
        print(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])
    else:
        main()
