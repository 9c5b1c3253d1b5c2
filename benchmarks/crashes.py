"""What a run survives: kills, full disks and damaged inputs.

Training is forked from this process, which has imported everything, so that a kill costs a second; what is on disk
after SIGKILL is the same. Full disks are small tmpfs file systems, which need the right to mount.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.errors import RunError
from sparring.learning import steps
from sparring.limits import Limits
from sparring.proposal import Proposal, propose
from sparring.run import Run

SETTINGS = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "network.hidden=16")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crashes", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs, spread over runs")
    parser.add_argument("--disks", type=int, default=60, help="sizes of full disks")
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged inputs")
    parser.add_argument("--length", type=int, default=400, help="steps of a run that is killed")
    parser.add_argument("--seed", type=int, default=0, help="of times, sizes and damages")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    torch.set_num_threads(1)  # no pool of threads may be alive when this process forks
    ledger, draw = Ledger("crashes", argv, asked.results), random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="sparring-crashes-") as folder:
        scratch = Path(folder)
        proposal = propose("digits", recipe="dense", settings=SETTINGS)
        if asked.kills:
            kills(ledger, proposal, scratch, draw, count=asked.kills, length=asked.length)
        if asked.disks:
            full_disks(ledger, proposal, scratch, draw, count=asked.disks)
        if asked.inputs:
            from benchmarks.damages import damages

            damages(ledger, scratch, draw, count=asked.inputs)
    print(ledger.table())
    return 0


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run by its path, but for its times; the zip of conditions holds the time of day."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("timing.jsonl", "lock") and path.suffix != ".npz"
    }


def play(proposal: Proposal, out: Path, length: int) -> None:
    """A run to its end, from wherever it stands."""
    limits = Limits(steps=length)
    for _ in steps(proposal.experiment, out, limits=limits, material=proposal.material, resume=True, device="cpu"):
        pass


def forked(work: Callable[[], None]) -> int:
    """The id of a child that does the work; it exits with 0, or 1 after an error of ours, 2 after another."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except RunError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    except BaseException as error:
        print(f"UNEXPECTED {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(2)
    os._exit(0)


def ended(child: int, after: float | None = None) -> int:
    """How a child ended: its exit code, or minus the signal that it died of; killed after so many seconds."""
    begun = time.monotonic()
    while after is not None and time.monotonic() - begun < after:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    if after is not None:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kills(  # noqa: PLR0913
    ledger: Ledger, proposal: Proposal, scratch: Path, draw: random.Random, *, count: int, length: int
) -> None:
    """SIGKILLs at random moments, each followed by going on; finished runs against one that nothing stopped."""
    whole, out = scratch / "whole", scratch / "killed"
    begun = time.monotonic()
    assert ended(forked(lambda: play(proposal, whole, length))) == 0, "the uninterrupted run fails"
    seconds, expected = time.monotonic() - begun, contents(whole)
    done = runs = equal = 0
    while done < count or out.exists():
        # The last run is let through, so that every kill is followed by a comparison.
        code = ended(
            forked(lambda: play(proposal, out, length)), draw.uniform(0, 1.2 * seconds) if done < count else None
        )
        if code == -signal.SIGKILL:
            done += 1
            continue
        assert code == 0, f"going on ended with {code}"
        runs, equal = runs + 1, equal + (contents(out) == expected)
        shutil.rmtree(out)
    more = {"kills": done, "runs": runs, "steps": length, "seconds of a run": round(seconds, 2)}
    ledger.add(Measurement("killed runs that end bit for bit as unkilled ones, share", equal / runs, ">= 1", more=more))
    ledger.add(Measurement("SIGKILLs survived", done, f">= {count}", more=more))


def full_disks(ledger: Ledger, proposal: Proposal, scratch: Path, draw: random.Random, *, count: int) -> None:
    """Runs on disks too small for them, gone on with after the disk has grown."""
    whole, place = scratch / "roomy", scratch / "disk"
    assert ended(forked(lambda: play(proposal, whole, 40))) == 0, "the uninterrupted run fails"
    expected, place_size = contents(whole), sum(len(data) for data in contents(whole).values()) + 2**18
    place.mkdir()
    lost = wordless = stopped = 0
    for number in range(count):
        size = draw.randrange(4096, place_size, 4096)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
        try:
            # Every other run writes without asking for room, so that checkpoints are cut off as well.
            code = ended(forked(lambda careless=bool(number % 2): _crowded(proposal, place / "run", careless)))
            stopped, wordless = stopped + (code != 0), wordless + (code not in (0, 1))
            subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
            again = ended(forked(lambda: play(proposal, place / "run", 40)))
            lost += again != 0 or contents(place / "run") != expected
        finally:
            subprocess.run(["umount", place], check=True)
    more = {"disks": count, "of them full before the end": stopped, "ended without a message of one line": wordless}
    ledger.add(Measurement("runs lost to a full disk", lost, "<= 0", more=more))
    ledger.add(Measurement("full disks without a message", wordless, "<= 0", more=more))


def _crowded(proposal: Proposal, out: Path, careless: bool) -> None:
    if careless:
        Run.refuse_full_disk = lambda self, size: None
    play(proposal, out, 40)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
