"""The audit against `openssl speed`, and its memory: `python benchmarks/audit.py [EXCHANGES]`.

`audit_over_openssl`: how long `openssl speed` needs, on all cores, for as many P-256 verifications as the log's
exchanges hold, over how long the audit needs for the log; `..._cpu` is the same of one process, in processor time,
which a busy machine does not change. The log is real: made by the gateway's own rooms and ledger
in one process, half echoes (2 signatures) and half verifications (4). `audit_rss_growth`: the largest resident memory
of the audit's main process on ten times as many entries, over that on as many; those logs are of void leaves.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.audit.audit import audit
from gateway.keys.files import FileKeystore
from gateway.ledger.encoding import canonical_json
from gateway.ledger.leaf import Leaf, binding
from gateway.ledger.merkle import CompactRange, leaf_hash
from gateway.ledger.note import Checkpoint, LogKey, sign_checkpoint
from gateway.ledger.publish import Publisher
from gateway.ledger.record import Record
from gateway.system import SystemClock, SystemRandomness
from tests.audit.gateway_run import Gateway

_SIGNATURES = {"echo": 2, "verify": 4}
_SPEED = re.compile(r"^\s*256 bits ecdsa.*\s(\S+)\s*$", re.MULTILINE)


def openssl_verifications(cores: int) -> float:
    """P-256 verifications a second, on so many cores; of one core's own time, whatever else the machine does."""
    command = ["openssl", "speed", "-seconds", "3", *(["-multi", str(cores)] if cores > 1 else []), "ecdsap256"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(_SPEED.findall(done.stdout)[-1])


def make(folder: Path, exchanges: int) -> Gateway:
    """A log of so many exchanges."""
    made = Gateway(folder)
    for number in range(exchanges):
        made.verify("1") if number % 2 else made.echo()
        if number % 2000 == 0:
            made.sequence()
    made.worker.close()
    for _ in range(3):
        made.sequence()
    return made


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
        kind = "void" if number else "genesis"
        leaf = Leaf(kind, randomness.uuid(), writer, number, now, binding(salt, evidence)).pack()
        publisher.append(leaf, Record(salt, evidence).pack())
        tree.append(leaf_hash(leaf))
    keystore = FileKeystore(keys, signing=["log"])
    publisher.finish(sign_checkpoint(Checkpoint(key.name, tree.size, tree.root()), key, keystore))
    (folder / "log" / "objects").mkdir(exist_ok=True)
    for path in (made.settings.folders.log / "objects").iterdir():
        (folder / "log" / "objects" / path.name).write_bytes(path.read_bytes())
    return folder / "log"


def memory(log: Path, trust: Path) -> int:
    """The largest resident memory of an audit in a process of its own, KiB."""
    command = [sys.executable, __file__, "--memory", str(log), str(trust)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(exchanges: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory(prefix="passerelle-bench-") as scratch:
        folder = Path(scratch)
        made = make(folder / "gateway", exchanges)
        log, trust = made.settings.folders.log, made.folder / "trust"
        signatures = exchanges // 2 * sum(_SIGNATURES.values())
        floor = signatures / openssl_verifications(len(os.sched_getaffinity(0)))
        start = time.perf_counter()
        verdict = audit(log, trust)
        took = time.perf_counter() - start
        one = openssl_verifications(1)
        start = time.process_time()
        audit(log, trust, jobs=1)
        worked = time.process_time() - start
        small, large = (void_log(made, folder / str(count), count) for count in (20_000, 200_000))
        figures = {
            "audit_exchanges": verdict.facts.exchanges,
            "audit_holds": verdict.holds,
            "audit_exchanges_per_s": round(exchanges / took, 1),
            "audit_over_openssl": round(floor / took, 3),
            "audit_over_openssl_cpu": round(signatures / one / worked, 3),
            "audit_rss_growth": round(memory(large, trust) / memory(small, trust), 3),
        }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        if not audit(Path(sys.argv[2]), Path(sys.argv[3])).holds:
            raise SystemExit("the log does not hold")
        print(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
