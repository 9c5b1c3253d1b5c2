"""Watching a run: observations go to its log, and the detectors look at what the log holds."""

from collections.abc import Sequence
from typing import Any

from sparring.plan import Plan
from sparring.run import Run
from sparring.signs import observe
from sparring.training import Engine
from sparring.watch import Detector, NotFinite, Signs


class Watching:
    """What has been observed of a run, as far back as its detectors look.

    Args:
        run: its folder, cut back to ``step``; its log gets an entry for a change of the plan that lacks one.
        plan: its plan.
        step: steps done.
    """

    def __init__(self, run: Run, plan: Plan, step: int):
        self.run = run
        records = run.records("log")
        observed = [r for r in records if "signs" in r]
        self.history: list[Signs] = [r["signs"] for r in observed]
        self.steps: list[int] = [r["step"] for r in observed]
        self.fresh = False
        told = [r.get("changes") for r in records]
        for amendment in plan.amendments:
            changes = list(amendment.changes)
            if changes and amendment.step <= step and changes not in told:
                entry = {"step": amendment.step, "images": amendment.step * plan.images_per_step, "terms": {}}
                entry |= {"note": amendment.why, "changes": changes}
                run.append("log", entry)

    def signs(self, engine: Engine) -> dict[str, Any]:
        """A new observation for the log's record, where it is time for one."""
        last = self.steps[-1] if self.steps else 0
        self.fresh = bool(engine.training.watch) and engine.step_number - last >= engine.training.watch_every
        if not self.fresh:
            return {}
        self.history.append(observe(engine))
        self.steps.append(engine.step_number)
        most = max(detector.window() for detector in engine.training.watch)
        del self.history[:-most], self.steps[:-most]
        return {"signs": self.history[-1]}

    def alarms(self, detectors: Sequence[Detector]) -> dict[int, str]:
        """What the detectors say of the newest observation, by the detector's number."""
        if not self.fresh:
            return {}
        found = {number: detector(self.history) for number, detector in enumerate(detectors)}
        return {number: text for number, text in found.items() if text is not None}

    def well(self, detectors: Sequence[Detector], step: int) -> int:
        """The newest step of which it is known that no patience had begun that ends in more than a note.

        Args:
            detectors: of the run.
            step: steps done, which it is where none has.
        """
        suspect = max((detector.suspect(self.history) for detector in detectors if acts(detector)), default=0)
        if not suspect:
            return step
        return self.steps[-suspect - 1] if len(self.steps) > suspect else 0

    def tell(self, detector: Detector, engine: Engine, text: str) -> None:
        """Puts an alarm into the log."""
        entry = {"step": engine.step_number, "images": engine.images, "terms": {}, "alarm": detector.name, "note": text}
        self.run.append("log", entry)


def acts(detector: Detector) -> bool:
    """Whether an alarm of the detector is more than a note."""
    return detector.remedy != "tell" or isinstance(detector, NotFinite)
