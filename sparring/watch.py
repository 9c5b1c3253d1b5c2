"""Watching: detectors of divergence, collapse and overfitting, and what is done about each.

A detector is a pure function of what was observed so far (:mod:`sparring.signs`), which the log holds, so that a
resumed run sees what an uninterrupted one saw.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from statistics import median
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from sparring.part import Part

Signs = dict[str, float | None]
"""Named numbers of one observation; None is one that is not finite."""

Remedy = Literal["tell", "stop", "roll-back"]
Change = Literal["rate", "clip", "fp32", "augmentation"]

_REMEDY = "tell; stop; or roll-back to the last good checkpoint and change one thing"
_CHANGE = "what a roll-back changes: halve the rate, clip gradients, take fp32, augment more"


class Way(NamedTuple):
    """Something that a user can do; :class:`sparring.advice.Adviser` tells it where the experiment takes it.

    Attributes:
        words: what, such as ``"add a penalty"``.
        setting: what ``--set`` would make it so, ``"penalties=r1"``; "" where it is no setting.
        more: what to do instead where that field holds parts already; "" where there is nothing to be said then.
        times: ``setting`` is the whole path of a number, and this is how many times its value is taken.
        pictures: whether it can be done with pictures alone.
    """

    words: str
    setting: str = ""
    more: str = ""
    times: float | None = None
    pictures: bool = False


STOP = Way("stop there")
"""To end earlier; what is told of it names the best model, where one is kept."""

_DATA = Way("give more data")
_SLOWER = Way("lower the rate", "training.optimiser.rate", times=0.5)
_PENALTY = Way("add a penalty", "penalties=r1", more="strengthen the penalty")
_AUGMENT = Way("augment", "views=adaptive-augment", more="let the discriminator see items changed more", pictures=True)


class Detector(Part):
    """The kind.

    Attributes:
        advice: what a user can do about it.
    """

    kind: ClassVar[str] = "detector"
    home: ClassVar[str] = "sparring.watch"
    advice: ClassVar[tuple[Way, ...]] = ()

    remedy: Remedy
    change: Change

    @abstractmethod
    def __call__(self, history: Sequence[Signs]) -> str | None:
        """What is wrong, in words, where the newest observation makes it so; told once while it lasts."""

    def ill(self, signs: Signs) -> bool:
        """Whether an observation counts towards an alarm."""
        return False

    def suspect(self, history: Sequence[Signs]) -> int:
        """How many of the newest observations there are since its patience began; 0 where it has not."""
        return next((n for n, signs in enumerate(reversed(history)) if not self.ill(signs)), len(history))

    def window(self) -> int:
        """How many of the newest observations it goes by; what is older may be left out of the history."""
        return 1000


class NotFinite(Detector):
    """A term, a gradient or a weight is not a number or infinite. A term is caught in its own step."""

    advice: ClassVar[tuple[Way, ...]] = (Way("take fp32", "training.precision=fp32"), _SLOWER)

    remedy: Remedy = Field(default="roll-back", description=f"{_REMEDY}; to tell is to stop")
    change: Change = Field(default="rate", description=_CHANGE)

    def window(self) -> int:
        return 2  # with the one before, up to which all was well

    def ill(self, signs: Signs) -> bool:
        return any(value is None for value in signs.values())

    def __call__(self, history: Sequence[Signs]) -> str | None:
        wrong = [name for name, value in history[-1].items() if value is None]
        return f"{', '.join(wrong)}: not finite" if wrong else None


class Exploded(Detector):
    """Scores or gradients have left every useful range."""

    advice: ClassVar[tuple[Way, ...]] = (Way("clip gradients", "training.clip=1"), _SLOWER, _PENALTY)

    score: float = Field(default=1e4, gt=0, description="largest score of an item")
    gradient: float = Field(default=1e6, gt=0, description="largest norm of a player's gradient")
    patience: int = Field(default=2, ge=1, description="observations in a row")
    remedy: Remedy = Field(default="tell", description=_REMEDY)
    change: Change = Field(default="clip", description=_CHANGE)

    def window(self) -> int:
        return self.patience + 1

    def ill(self, signs: Signs) -> bool:
        steep = any(_of(signs, name) > self.gradient for name in signs if name.startswith("gradient "))
        return steep or _of(signs, "largest score") > self.score

    def __call__(self, history: Sequence[Signs]) -> str | None:
        if not _begins(history, self.patience, self.ill):
            return None
        score = _of(history[-1], "largest score")
        return f"scores or gradients explode (largest score {score:.3g}): the players no longer learn from each other"


class Vanished(Detector):
    """The discriminator says the same of everything."""

    advice: ClassVar[tuple[Way, ...]] = (
        _SLOWER,
        Way("", "penalties=r1", more="weaken the penalty"),
        Way("take another loss", "loss=relativistic-pairing"),
    )

    spread: float = Field(default=1e-6, ge=0, description="difference of the highest and lowest score, at most")
    patience: int = Field(default=3, ge=1, description="observations in a row")
    remedy: Remedy = Field(default="tell", description=_REMEDY)
    change: Change = Field(default="rate", description=_CHANGE)

    def window(self) -> int:
        return self.patience + 1

    def ill(self, signs: Signs) -> bool:
        return _of(signs, "score spread", self.spread + 1) <= self.spread

    def __call__(self, history: Sequence[Signs]) -> str | None:
        if not _begins(history, self.patience, self.ill):
            return None
        return "the discriminator gives every item the same score: the generator learns nothing from it"


class Won(Detector):
    """The discriminator tells every real item from every generated one by far, for long."""

    advice: ClassVar[tuple[Way, ...]] = (_AUGMENT, _DATA, _PENALTY)

    separation: float = Field(
        default=3.5, gt=0, description="distance of mean scores in their standard deviations, at least"
    )
    patience: int = Field(default=20, ge=1, description="observations in a row")
    remedy: Remedy = Field(default="tell", description=_REMEDY)
    change: Change = Field(default="augmentation", description=_CHANGE)

    def window(self) -> int:
        return self.patience + 1

    def ill(self, signs: Signs) -> bool:
        return _of(signs, "separation") >= self.separation

    def __call__(self, history: Sequence[Signs]) -> str | None:
        if not _begins(history, self.patience, self.ill):
            return None
        return (
            f"the discriminator has won: real and generated scores are {_of(history[-1], 'separation'):.3g} deviations "
            "apart, and the generator no longer catches up"
        )


class Collapsed(Detector):
    """What is made from fixed latents has become alike, measured by the data's own variety."""

    advice: ClassVar[tuple[Way, ...]] = (
        _PENALTY,
        _SLOWER,
        Way("let the discriminator see packs", "views=pack", more="let the discriminator see packs too (view pack)"),
        Way("weigh the divergence less", "task.game.beta", times=0.5),
    )

    share: float = Field(default=0.1, gt=0, lt=1, description="deviation of generated items, as a share of the data's")
    patience: int = Field(default=3, ge=1, description="observations in a row")
    grace: int = Field(
        default=20, ge=0, description="observations in which a generator that was never varied may begin"
    )
    remedy: Remedy = Field(default="tell", description=_REMEDY)
    change: Change = Field(default="rate", description=_CHANGE)

    def window(self) -> int:
        return self.grace + self.patience + 1

    def ill(self, signs: Signs) -> bool:
        return _of(signs, "diversity", 1.0) < self.share

    def suspect(self, history: Sequence[Signs]) -> int:
        # A generator that never varied is granted a while, and then was ill from the start.
        granted = self._varied(history) is None and len(history) <= self.grace
        return 0 if granted else super().suspect(history)

    def _varied(self, history: Sequence[Signs]) -> int | None:
        """The first observation of a generator that varied, where there is one."""
        return next((n for n, signs in enumerate(history) if _of(signs, "diversity", 1.0) > 2 * self.share), None)

    def __call__(self, history: Sequence[Signs]) -> str | None:
        known = self._varied(history)
        seen = history[self.grace if known is None else min(known, self.grace) :]
        if not _begins(seen, self.patience, self.ill):
            return None
        return (
            f"the generator has collapsed: what it makes varies {100 * _of(history[-1], 'diversity'):.2g} % as much as "
            "the data"
        )


class Overfits(Detector):
    """The discriminator knows its training items by heart: it takes held-back ones for generated."""

    advice: ClassVar[tuple[Way, ...]] = (_AUGMENT, _DATA, STOP)

    gap: float = Field(
        default=0.7, gt=0, description="(learned - held back) / (learned - generated) between mean scores, at least"
    )
    certainty: float = Field(default=4.0, ge=0, description="learned - held back in its standard errors, at least")
    patience: int = Field(default=10, ge=1, description="observations, the medians of which count")
    remedy: Remedy = Field(default="tell", description=_REMEDY)
    change: Change = Field(default="augmentation", description=_CHANGE)

    def window(self) -> int:
        return self.patience + 1

    def ill(self, signs: Signs) -> bool:
        return _of(signs, "gap") >= self.gap

    def suspect(self, history: Sequence[Signs]) -> int:
        newest = history[-self.patience :]
        return next((len(newest) - n for n, signs in enumerate(newest) if self.ill(signs)), 0)

    def __call__(self, history: Sequence[Signs]) -> str | None:
        # Few items are held back of small data, so that single observations scatter.
        if not self._holds(history) or self._holds(history[:-1]):
            return None
        way = 100 * self._median(history, "gap")
        return (
            f"the discriminator learns its items by heart: held-back ones stand {way:.0f} % of the way to generated "
            "ones; more data or augmentation are needed"
        )

    def _holds(self, history: Sequence[Signs]) -> bool:
        known = len(history) >= self.patience and self._median(history, "gap") >= self.gap
        return known and self._median(history, "gap certainty") >= self.certainty

    def _median(self, history: Sequence[Signs], name: str) -> float:
        return median(_of(signs, name) for signs in history[-self.patience :])


EVERY: tuple[Detector, ...] = (NotFinite(), Exploded(), Vanished(), Won(), Collapsed(), Overfits())


def _of(signs: Signs, name: str, missing: float = 0.0) -> float:
    found = signs.get(name)
    return missing if found is None else found


def _begins(history: Sequence[Signs], patience: int, holds: Callable[[Signs], bool]) -> bool:
    """Whether the last ``patience`` observations hold, and the one before them does not."""
    if len(history) < patience or not all(holds(signs) for signs in history[-patience:]):
        return False
    return len(history) == patience or not holds(history[-patience - 1])
