"""Advice: what a user can do about what went wrong, in the settings that the run's own experiment takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sparring.errors import RequestError
from sparring.experiment import Experiment
from sparring.part import walk
from sparring.watch import STOP, Way


@dataclass(frozen=True)
class Adviser:
    """Tells ways as a sentence, without those that are not to be had in this run.

    Attributes:
        experiment: what was trained; a way whose setting it does not take, or has already, is left out.
        pictures: whether its items are pictures.
        best: how the best model is got at, in a sentence, where one is kept; else "".
    """

    experiment: Experiment
    pictures: bool
    best: str = ""

    def __call__(self, ways: Sequence[Way], *, begin: str = "") -> str:
        """The ways in one sentence that begins as is said; "" where none is left."""
        told = [said for way in ways for said in self._told(way)]
        if not told:
            return ""
        sentence = begin + (", ".join(told[:-1]) + ", or " + told[-1] if len(told) > 1 else told[0])
        best = f" {self.best}" if STOP in ways and self.best else ""
        return f"{sentence[0].upper()}{sentence[1:]}.{best}"

    def _told(self, way: Way) -> Iterator[str]:
        if way.pictures and not self.pictures:
            return
        if not way.setting:
            yield way.words
            return
        setting = self._scaled(way) if way.times is not None else way.setting
        try:
            changed = self.experiment if setting is None else self.experiment.override(setting)
        except RequestError:
            return
        if self._holds(way.setting):
            yield from [way.more] if way.more else []
        elif changed != self.experiment and way.words:
            yield f"{way.words} (--set {setting})"

    def _holds(self, setting: str) -> bool:
        """Whether the field is a tuple of parts that holds some already, which the setting would replace."""
        held = getattr(self.experiment.task.game, setting.partition("=")[0].rpartition(".")[2], ())
        return isinstance(held, tuple) and bool(held)

    def _scaled(self, way: Way) -> str | None:
        """The setting with the experiment's own value, scaled; None where it has no such number."""
        value = dict(walk(self.experiment)).get(tuple(way.setting.split(".")))
        if not isinstance(value, int | float) or not value:
            return None
        return f"{way.setting}={value * (way.times or 1):.3g}"
