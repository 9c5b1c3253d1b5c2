"""The engine itself: propose an experiment, change it, and take its records one by one.

Pausing is not asking for the next record; leaving the loop saves a checkpoint, and resuming goes on from there.

python examples/records.py --steps 400
"""

import argparse
from pathlib import Path

import sparring


def main() -> None:
    """Plays an experiment to its half, then to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="length in generator updates")
    parser.add_argument("--out", type=Path, default=Path("runs/example-records"))
    asked = parser.parse_args()

    settings = ["loss=minimax", "training.precision=fp32", "training.layout=contiguous"]
    proposal = sparring.propose("digits", recipe="dense", seed=3, unconditional=True, settings=settings)
    experiment = proposal.experiment.override("training.batch=32")
    limits = sparring.Limits(steps=asked.steps)

    for record in sparring.steps(experiment, asked.out, limits=limits, overwrite=True):
        show(record)
        if record.step >= record.steps // 2:
            break

    for record in sparring.steps(experiment, asked.out, limits=limits, resume=True):
        show(record)
    print(f"made {sparring.load(asked.out).sample(4).shape}")


def show(record: sparring.Record) -> None:
    """One line a record."""
    if record.note:
        print(f"step {record.step:>5}: {record.note}")
    else:
        terms = ", ".join(f"{name} {value:.3f}" for name, value in record.terms.items())
        print(f"step {record.step:>5} of {record.steps}: {terms}")


if __name__ == "__main__":
    main()
