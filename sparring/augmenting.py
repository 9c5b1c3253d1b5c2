"""Augmenting: a labelled set is balanced or enlarged by a trained model's items, and it is measured whether that helps.

The filter of generated items is chosen by inner splits of the items to learn from. Items that are held back for the
measurement take no part in it, nor in any augmentation, and items that the model learned from are never held back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparring.augmentations import Augmentation, Maker, Means
from sparring.augmentations.generated import Generated
from sparring.benefit import LEAST, Benefit, Course, measure, reached
from sparring.errors import RequestError
from sparring.learners import learner_of
from sparring.lot import Lot, extra, refuse_unfit
from sparring.metrics import ranked
from sparring.randomness import derive

FILTERS = (
    Generated(),
    Generated(by_discriminator=0.5),
    Generated(by_classifier=0.5),
    Generated(by_discriminator=0.7, by_classifier=0.7),
)
"""The filters that are tried, the plainest first."""
MOST = 10_000
"""Items that are learned from, and that are held back, at most, when it is measured."""
_INNER, _INNER_MOST = 3, 4000


@dataclass(frozen=True)
class Augmented:
    """A labelled set with what was added.

    Attributes:
        lot: the given items, and the generated ones behind them.
        generated: which are generated, ``(n,)`` bool.
        filtered: how generated items were chosen among more.
        benefit: whether they help; None where that could not be measured.
        notes: why it could not, and what was left out, one line each.
    """

    lot: Lot
    generated: np.ndarray
    filtered: Generated
    benefit: Benefit | None = None
    notes: tuple[str, ...] = ()

    @property
    def items(self) -> Any:
        """Pictures ``(n, h, w, c)``, or a frame."""
        return self.lot.items

    @property
    def labels(self) -> np.ndarray:
        """The class of each item, ``(n,)`` strings."""
        return self.lot.labels

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the items."""
        added = self.lot.rows(np.flatnonzero(self.generated)).counts()
        told = {"items": len(self.lot), "added": added, "filter": self.filtered.to_json(), "notes": list(self.notes)}
        return told | {"benefit": None if self.benefit is None else self.benefit.to_json()}

    def lines(self) -> list[str]:
        """What was done, and whether it helps, for people."""
        added = self.lot.rows(np.flatnonzero(self.generated)).counts()
        said = ", ".join(f"{count:,} of {label.strip()}" for label, count in added.items())
        lines = [f"added {int(self.generated.sum()):,} generated items ({said}); kept: {self.filtered.said()}"]
        return [*lines, *(self.benefit.lines() if self.benefit is not None else []), *self.notes]


@dataclass(frozen=True)
class Wish:
    """How much is added, and how it is measured.

    Attributes:
        factor: so many times as many items; 1 where it is None.
        balance: as many of each class as of the commonest first; so too where there is no factor.
        course: of the measurement.
    """

    factor: float | None = None
    balance: bool = False
    course: Course = Course()

    def of(self, lot: Lot) -> dict[str, int]:
        """How many new items each class of a lot needs."""
        return extra(lot.counts(), factor=self.factor, balance=self.balance or self.factor is None)


def augmented(maker: Maker, modality: str, whole: Lot, sides: tuple[Lot, Lot], wish: Wish) -> Augmented:
    """Adds a model's items to labelled ones.

    Args:
        maker: the model.
        modality: name of the items' codec.
        whole: the items that are enlarged.
        sides: those that a filter is chosen by and classifiers learn from; and those that are held back, which neither
            the model nor the first side has seen.
        wish: how much is added.

    Raises:
        RequestError: nothing is to be added, or no classifier learns such items.
        DataError: the labels name a single class or a class of one item, or the model does not make one.
    """
    learner = learner_of(modality)
    if learner is None:
        raise RequestError(f"pictures and tables can be augmented, and these are {modality}")
    real, held = sides
    refuse_unfit(whole)
    wanted, means = wish.of(whole), Means(learner, maker)
    reason = unmeasurable(real, held)
    chosen = choose_filter(real, wish, means)
    made = chosen(whole, wanted, means, derive(wish.course.seed, "added"))
    benefit = None if reason is not None else compare(real, held, chosen, means, wish)
    notes = () if reason is None else (f"not measured whether this helps: {reason}",)
    return Augmented(whole.joined(made), np.arange(len(whole) + len(made)) >= len(whole), chosen, benefit, notes)


def compare(real: Lot, held: Lot, chosen: Generated, means: Means, wish: Wish) -> Benefit:
    """The generated items beside every other way that suits the data, each adding as many."""
    real, held = thinned(real, MOST, wish.course.seed), thinned(held, MOST, wish.course.seed)
    found = measure(real, held, ways(real, chosen, wish), means, wish.course)
    return replace(found, protocol={**found.protocol, "filter": chosen.said()})


def ways(real: Lot, chosen: Generated, wish: Wish) -> dict[str, tuple[Augmentation, Mapping[str, int]]]:
    """The generated items and every other way that suits the data, with how many of each class are added."""
    wanted = wish.of(real)
    beside = [part() for part in ranked(Augmentation.parts().values(), "table" if real.is_table else "image")]
    return {way.name: (way, wanted) for way in (chosen, *beside) if way.refusal(real, wanted) is None}


def unmeasurable(real: Lot, held: Lot) -> str | None:
    """Why held-back items are no measure, in one line; None where they are one."""
    if len(held) < LEAST:
        return f"{len(held)} items were held back from the model, fewer than {LEAST}"
    if len(real.counts()) < 2 or min(real.counts().values()) < 2:
        return "what is left to learn from has a class of fewer than two items"
    missing = [label for label in real.counts() if (held.labels == label).sum() < 2]
    return f"class '{missing[0].strip()}' has fewer than two held-back items" if missing else None


def choose_filter(real: Lot, wish: Wish, means: Means) -> Generated:
    """The filter with which a classifier is best on inner splits of the items; the plainest of equals.

    Two thirds of the items of each class are learned from and the rest asked about, three times; where a class has
    fewer than three items, or the model has no discriminator, fewer filters are tried.
    """
    judges = means.maker is not None and means.maker.judges
    tried = [f for f in FILTERS if judges or f.by_discriminator == 1]
    real = thinned(real, _INNER_MOST, wish.course.seed)
    counts = real.counts()
    if len(counts) < 2 or min(counts.values()) < 3 or not _adds(wish, real):
        return FILTERS[0]
    sums = np.zeros(len(tried))
    for number in range(_INNER):
        seed = derive(wish.course.seed, "inner", number)
        inner, asked = halves(real, seed)
        wanted = _scaled(wish.of(real), len(inner) / len(real))
        sums += [reached(inner, asked, (way, wanted), means, Course(1, seed)) for way in tried]
    return tried[int(sums.argmax())]


def _adds(wish: Wish, lot: Lot) -> bool:
    """Whether anything is added to a part of the items; balancing a part that happens to be balanced adds nothing."""
    try:
        return bool(wish.of(lot))
    except RequestError:
        return False


def _scaled(wanted: Mapping[str, int], share: float) -> dict[str, int]:
    return {label: max(1, round(count * share)) for label, count in wanted.items()}


def halves(lot: Lot, seed: int, share: float = 2 / 3) -> tuple[Lot, Lot]:
    """A share of each class, and the rest, by chance."""
    source = np.random.Generator(np.random.Philox(key=derive(seed, "halves")))
    first = np.zeros(len(lot), bool)
    for label in np.unique(lot.labels):
        members = source.permutation(np.flatnonzero(lot.labels == label))
        first[members[: max(1, round(share * len(members)))]] = True
    return lot.rows(np.flatnonzero(first)), lot.rows(np.flatnonzero(~first))


def thinned(lot: Lot, most: int, seed: int) -> Lot:
    """At most so many items, by chance, each class in its share and with two items at least."""
    if len(lot) <= most:
        return lot
    source = np.random.Generator(np.random.Philox(key=derive(seed, "thinned")))
    kept = []
    for label in np.unique(lot.labels):
        members = source.permutation(np.flatnonzero(lot.labels == label))
        kept.append(members[: max(2, round(most * len(members) / len(lot)))])
    return lot.rows(np.sort(np.concatenate(kept)))
