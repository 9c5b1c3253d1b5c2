"""Private tables: what is lost by it on adult, and whether an attack on single rows ever finds more than is promised.

Utility: epsilon 1, 3, 10 and none, by the same recipe, split and judges as ``benchmarks.tables``. Canaries: one odd row
is in a table of 1,000 rows or is not; after each of many trainings the attacker sees the discriminator's verdict on it,
which is a function of what the run may tell, and guesses. His threshold is chosen on half of the trainings and judged
on the other half: a true-positive rate above e^epsilon * false-positive rate + delta, each at the end of its one-sided
97.5 % interval (Clopper and Pearson 1934) that is kindest to the promise, breaks it.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import runs
from benchmarks.ledger import RESULTS, Ledger, Measurement
from benchmarks.tables import SETS, figures, halves

DELTA = 1e-5
ROWS = 1000
DOMAINS = {
    "age": "17..90",
    "workclass": "Private, Self-emp-not-inc, Self-emp-inc, Federal-gov, Local-gov, State-gov, Without-pay, "
    "Never-worked, ?",
    "fnlwgt": "10000..1500000",
    "education": "Bachelors, Some-college, 11th, HS-grad, Prof-school, Assoc-acdm, Assoc-voc, 9th, "
    "7th-8th, 12th, Masters, 1st-4th, 10th, Doctorate, 5th-6th, Preschool",
    "education-num": "1..16",
    "marital-status": "Married-civ-spouse, Divorced, Never-married, Separated, Widowed, Married-spouse-absent, "
    "Married-AF-spouse",
    "occupation": "Tech-support, Craft-repair, Other-service, Sales, Exec-managerial, Prof-specialty, "
    "Handlers-cleaners, Machine-op-inspct, Adm-clerical, Farming-fishing, Transport-moving, "
    "Priv-house-serv, Protective-serv, Armed-Forces, ?",
    "relationship": "Wife, Own-child, Husband, Not-in-family, Other-relative, Unmarried",
    "race": "White, Asian-Pac-Islander, Amer-Indian-Eskimo, Other, Black",
    "sex": "Female, Male",
    "capital-gain": "0..99999",
    "capital-loss": "0..5000",
    "hours-per-week": "1..99",
    "native-country": "United-States, Cambodia, England, Puerto-Rico, Canada, Germany, "
    "Outlying-US(Guam-USVI-etc), India, Japan, Greece, South, China, Cuba, Iran, Honduras, "
    "Philippines, Italy, Poland, Jamaica, Vietnam, Mexico, Portugal, Ireland, France, "
    "Dominican-Republic, Laos, Ecuador, Taiwan, Haiti, Columbia, Hungary, Guatemala, "
    "Nicaragua, Scotland, Thailand, Yugoslavia, El-Salvador, Trinadad&Tobago, Peru, Hong, "
    "Holand-Netherlands, ?",
    "income": ">50K, <=50K",
}
"""What adult's columns may hold by its published description, which no row has to be asked about; text with a space
before it, as the file has it. Ends that the description leaves open are round numbers."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.private", description=__doc__)
    parser.add_argument("--epsilons", nargs="+", type=float, default=[1.0, 3.0, 10.0, inf], help="inf: not private")
    parser.add_argument("--seeds", nargs="+", default=["0"], help="seeds, such as 0 1 2 or 0-2; 'none': no utility")
    parser.add_argument("--steps", type=int, default=0, help="length of training; 0: the recipe's")
    parser.add_argument("--rows", type=int, default=0, help="learn from so many rows of adult; 0: all")
    parser.add_argument("--canaries", type=int, default=40, help="trainings with the odd row, and without it")
    parser.add_argument("--canary-steps", type=int, default=100, help="length of each of these")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", help="overrides, for smoke tests")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the measurements")
    asked = parser.parse_args(argv)
    ledger = Ledger("private", argv, asked.results)
    for epsilon in asked.epsilons:
        for seed in [] if asked.seeds == ["none"] else runs.seeds_option(asked.seeds):
            utility(ledger, epsilon, seed=seed, asked=asked)
        if asked.canaries:
            for_canaries(ledger, epsilon, asked)
    print(ledger.table())
    return 0


def utility(ledger: Ledger, epsilon: float, *, seed: int, asked: argparse.Namespace) -> None:
    """What classifiers learn from the rows of one private model of adult."""
    from sparring.data.tables import Tables

    chosen = SETS["adult"]
    whole: Any = Tables(path=runs.data_path(*chosen.parts)).load().items
    train, test = halves(whole.frame, chosen.target, asked.rows)
    settings = [*(domains() if epsilon < inf else []), *asked.settings]
    made = learned(train, epsilon, seed=seed, steps=asked.steps, settings=settings).sample(len(train), seed=seed)
    for name, (value, real) in figures(train, test, made, chosen.target).items():
        figure = f"adult, epsilon {epsilon:g}: {name}"
        ledger.add(Measurement(figure, value, floor=real, items=len(made), seed=seed, more={"steps": asked.steps}))


def domains() -> list[str]:
    """The settings that say what adult's columns may hold."""
    said = {
        name: known if ".." in known else "|".join(f" {w}" for w in known.split(", "))
        for name, known in DOMAINS.items()
    }
    return [f"training.privacy.domains.{name}={known}" for name, known in said.items()]


def learned(frame: Any, epsilon: float, *, seed: int, steps: int, settings: Sequence[str]) -> Any:
    """A model of a frame by the private recipe; at infinite epsilon without clipping, noise and noisy codec."""
    import sparring

    private: dict[str, Any] = {"private": True, "epsilon": epsilon, "delta": DELTA}
    public: dict[str, Any] = {"unconditional": True}
    with tempfile.TemporaryDirectory(prefix="sparring-private-") as folder:
        model = sparring.train(
            frame,
            out=Path(folder) / "run",
            recipe="private",
            steps=steps or None,
            seed=seed,
            settings=list(settings),
            **(public if epsilon == inf else private),
        )
        model.score(frame.head(1))  # reads the discriminator while the run is there
        return model


@dataclass(frozen=True)
class Attack:
    """What an attacker found in the half of the trainings on which his threshold was not chosen.

    Attributes:
        true: rate of canaries that he found.
        true_low: lower end of its interval.
        false: rate of trainings without one in which he claimed it.
        false_high: upper end of its interval.
    """

    true: float
    true_low: float
    false: float
    false_high: float

    def beyond(self, epsilon: float, delta: float) -> float:
        """How far he is certainly beyond the promise; at most 0 where it may hold."""
        return 0.0 if epsilon == inf else self.true_low - (exp(epsilon) * self.false_high + delta)


def attack(present: np.ndarray, absent: np.ndarray) -> Attack:
    """Guesses by a threshold on verdicts.

    Args:
        present: verdicts on the canary after trainings with it, ``(n,)``.
        absent: after trainings without it, ``(n,)``.
    """
    candidates = np.unique([present[::2], absent[::2]])
    # Either side may be telling: a discriminator may like what it knows, or the generator may have made much of it.
    gaps = [((present[::2] >= t).mean() - (absent[::2] >= t).mean(), t) for t in candidates]
    _, threshold, sign = max((sign * gap, t, sign) for gap, t in gaps for sign in (1, -1))
    claims = [(side[1::2] >= threshold) == (sign > 0) for side in (present, absent)]
    true, false = (int(claim.sum()) for claim in claims)
    return Attack(
        true / len(claims[0]),
        interval(true, len(claims[0]))[0],
        false / len(claims[1]),
        interval(false, len(claims[1]))[1],
    )


def interval(hits: int, of: int, level: float = 0.975) -> tuple[float, float]:
    """Clopper and Pearson's ends, one-sided at this level each."""
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(1 - level, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(level, hits + 1, of - hits))
    return low, high


def planted(seed: int, canary: bool) -> Any:
    """A table of two columns, with the odd row or with one row less."""
    import pandas as pd

    source = np.random.default_rng(seed)
    group = np.where(source.random(ROWS - 1) < 0.8, "many", "few")
    height = np.where(group == "many", source.normal(20, 2, ROWS - 1), source.normal(40, 2, ROWS - 1)).round(2)
    frame = pd.DataFrame({"group": group, "height": height})
    return pd.concat([frame, odd()], ignore_index=True) if canary else frame


def odd() -> Any:
    """The canary."""
    import pandas as pd

    return pd.DataFrame({"group": ["few"], "height": [69.37]})


def for_canaries(ledger: Ledger, epsilon: float, asked: argparse.Namespace) -> None:
    """Trains again and again with the odd row and without it, and attacks."""
    domains = ["training.privacy.domains.group=many|few", "training.privacy.domains.height=0..70"]
    small = ["network.width=32", "network.depth=1", "training.batch=100", *(domains if epsilon < inf else [])]
    verdicts: dict[bool, list[float]] = {True: [], False: []}
    for number in range(asked.canaries):
        for there, found in verdicts.items():
            settings = [*small, *asked.settings]
            model = learned(planted(0, there), epsilon, seed=number, steps=asked.canary_steps, settings=settings)
            found.append(float(model.score(odd())[0]))
    found = attack(np.array(verdicts[True]), np.array(verdicts[False]))
    more = {"trainings": 2 * asked.canaries, "steps": asked.canary_steps, "false_high": found.false_high}
    title = f"canary, epsilon {epsilon:g}"
    ledger.add(Measurement(f"{title}: true-positive rate", found.true, more=more | {"low": found.true_low}))
    ledger.add(Measurement(f"{title}: false-positive rate", found.false, more=more))
    bound = "<= 0" if epsilon < inf else ""
    ledger.add(Measurement(f"{title}: beyond the promise", found.beyond(epsilon, DELTA), bound, more=more))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
