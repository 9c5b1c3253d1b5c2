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
from itertools import count
from pathlib import Path
from typing import Any

import torch

from benchmarks.disks import disk
from benchmarks.ledger import RESULTS, Ledger, Measurement
from sparring.errors import RunError
from sparring.learning import steps
from sparring.limits import Limits
from sparring.proposal import Proposal, propose
from sparring.run import Run

SHORT, PAGE = 25, 4096
"""Steps of a run on a full disk, which saves every five; bytes of a page."""

SETTINGS = ("training.precision=fp32", "training.layout=contiguous", "training.batch=16", "network.hidden=16")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crashes", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="SIGKILLs, spread over runs")
    parser.add_argument("--disks", type=int, default=1, help="full disks of each N-th number of pages; 0: none")
    parser.add_argument("--writes", type=int, default=1, help="disks full from each N-th operation on; 0: none")
    parser.add_argument("--inputs", type=int, default=10_000, help="inputs with random damages")
    parser.add_argument("--cuts", type=int, default=1, help="inputs cut off at each N-th byte; 0: none")
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
            kills(ledger, proposal, scratch, draw, wanted=asked.kills, length=asked.length)
        if asked.disks:
            full_disks(ledger, proposal, scratch, every=asked.disks)
        if asked.writes:
            every_write(ledger, proposal, scratch, every=asked.writes)
        if asked.inputs or asked.cuts:
            from benchmarks.damages import damages, truncations

            if asked.inputs:
                damages(ledger, scratch, random.Random(f"{asked.seed} inputs"), count=asked.inputs)
            if asked.cuts:
                truncations(ledger, scratch, every=asked.cuts)
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
    ledger: Ledger, proposal: Proposal, scratch: Path, draw: random.Random, *, wanted: int, length: int
) -> None:
    """SIGKILLs at random moments, each followed by going on; finished runs against one that nothing stopped."""
    whole, out = scratch / "whole", scratch / "killed"
    begun = time.monotonic()
    assert ended(forked(lambda: play(proposal, whole, length))) == 0, "the uninterrupted run fails"
    seconds, expected = time.monotonic() - begun, contents(whole)
    done = runs = equal = 0
    while done < wanted or out.exists():
        # The last run is let through, so that every kill is followed by a comparison.
        code = ended(
            forked(lambda: play(proposal, out, length)), draw.uniform(0, 1.2 * seconds) if done < wanted else None
        )
        if code == -signal.SIGKILL:
            done += 1
            continue
        assert code == 0, f"going on ended with {code}"
        runs, equal = runs + 1, equal + (contents(out) == expected)
        shutil.rmtree(out)
    more = {"kills": done, "runs": runs, "steps": length, "seconds of a run": round(seconds, 2)}
    ledger.add(Measurement("killed runs that end bit for bit as unkilled ones, share", equal / runs, ">= 1", more=more))
    ledger.add(Measurement("SIGKILLs survived", done, f">= {wanted}", more=more))


def every_write(ledger: Ledger, proposal: Proposal, scratch: Path, *, every: int) -> None:
    """Runs on a disk that is full from the N-th operation of writing on, for each N, gone on with afterwards."""
    whole, out = scratch / "unhindered", scratch / "hindered"
    with disk() as counted:
        play(proposal, whole, SHORT)
    expected = contents(whole)
    wordless = stopped = 0
    lost: list[int] = []
    for room in range(0, counted.done, every):
        code = ended(forked(lambda room=room: _full_after(room, proposal, out)))
        stopped, wordless = stopped + (code != 0), wordless + (code not in (0, 1))
        if ended(forked(lambda: play(proposal, out, SHORT))) != 0 or contents(out) != expected:
            lost.append(room)
        shutil.rmtree(out)
    more: dict[str, Any] = {
        "operations of a run": counted.done,
        "tried": len(range(0, counted.done, every)),
        "stopped": stopped,
    }
    more |= {"lost at": lost}
    ledger.add(Measurement("runs lost to a disk that is full from some operation on", len(lost), "<= 0", more=more))
    ledger.add(Measurement("such disks without a message of one line", wordless, "<= 0", more=more))


def _full_after(room: int, proposal: Proposal, out: Path) -> None:
    with disk(room):
        play(proposal, out, SHORT)


def full_disks(ledger: Ledger, proposal: Proposal, scratch: Path, *, every: int) -> None:
    """Runs on disks too small for them, of each number of pages, gone on with after the disk has grown."""
    whole, place = scratch / "roomy", scratch / "disk"
    assert ended(forked(lambda: play(proposal, whole, SHORT))) == 0, "the uninterrupted run fails"
    expected = contents(whole)
    place.mkdir()
    lost = wordless = tried = 0
    for size in count(PAGE, every * PAGE):
        # Every other run writes without asking for room, so that checkpoints are cut off as well.
        outcomes = _crowded_out(proposal, place, size, careless=bool(tried % 2))
        if outcomes is None:
            break
        tried, wordless = tried + 1, wordless + (outcomes[0] != 1)
        lost += outcomes[1] != expected
    more = {"disks": tried, "pages from one to the next": every}
    ledger.add(Measurement("runs lost to a full disk", lost, "<= 0", more=more))
    ledger.add(Measurement("full disks without a message", wordless, "<= 0", more=more))


def _crowded_out(
    proposal: Proposal, place: Path, size: int, *, careless: bool
) -> tuple[int, dict[str, bytes] | None] | None:
    """How a run on a disk of some size ended and what it became on a larger one; None where there was room enough."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        code = ended(forked(lambda: _crowded(proposal, place / "run", careless)))
        if code == 0:
            return None
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        again = ended(forked(lambda: play(proposal, place / "run", SHORT)))
        return code, contents(place / "run") if again == 0 else None
    finally:
        subprocess.run(["umount", place], check=True)


def _crowded(proposal: Proposal, out: Path, careless: bool) -> None:
    if careless:
        Run.refuse_full_disk = lambda self, size: None
    play(proposal, out, SHORT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
