"""English words to Chinese ones: how many unseen renderings a classifier of real Chinese renderings reads correctly."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import runs
from benchmarks.judges import fit_judge, labels_of, real
from benchmarks.ledger import RESULTS, Ledger, Measurement


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.words", description=__doc__)
    parser.add_argument("--seeds", nargs="+", default=["0-1"], help="seeds, such as 0 1 2 or 0-2")
    parser.add_argument("--minutes", type=float, default=20.0, help="length of a training")
    parser.add_argument("--items", type=int, default=1440, help="unseen renderings to translate")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--scratch", type=Path, default=runs.SCRATCH, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    reading = [setting for setting in asked.settings if setting.startswith("data.")]
    data = real("words", task="translation", settings=reading)
    judge = fit_judge(data.train, passes=6)
    ledger = Ledger("words", argv, asked.results)
    for seed in runs.seeds_option(asked.seeds):
        out = asked.scratch / f"words-{seed}"
        options = ["--task", "translation", "--minutes", f"{asked.minutes:g}", "--seed", str(seed)]
        options += [part for setting in asked.settings for part in ("--set", setting)]
        cost = runs.train("words", out, *options)
        made, rows = translated(out, asked.items)
        truth = labels_of(data.report)[rows]
        read = float((judge.classes(made) == truth).mean())
        floor = float((judge.classes(data.report.pictures[rows]) == truth).mean())
        title = f"English to Chinese words, {asked.minutes:g} minutes: read correctly"
        facts = cost.summary() | {"words": len(data.classes)}
        ledger.add(
            Measurement(
                title, read, ">= 0.98", floor=floor, items=len(made), seed=seed, minutes=cost.minutes, more=facts
            )
        )
    print(ledger.table())
    return 0


def translated(run: Path, most: int) -> tuple[np.ndarray, np.ndarray]:
    """What a run's model makes of unseen renderings, and which of the *report* split they are; a sheet is drawn too."""
    import sparring
    from sparring.experiment import gather_again
    from sparring.metrics import Specimens
    from sparring.restoring import sheet

    model = sparring.load(run)
    material = gather_again(model.experiment, model.modality)
    rows = material.splits.report[:most]
    assert material.data.given is not None, "words come in pairs"
    given = np.asarray(material.data.given[rows])
    made = model.apply(given)
    assert isinstance(made, np.ndarray), "an array gives an array"
    codec, pictures = sheet(Specimens(made, given=given, truth=np.asarray(material.data.items[rows])))
    codec.preview(pictures[:64], run / "words.png")
    return made, np.arange(len(rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
