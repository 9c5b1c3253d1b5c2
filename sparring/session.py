"""A sitting at a run: from its start or its newest checkpoint to the end, a limit or an interruption."""

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist

from sparring import evaluation
from sparring.best import weighed
from sparring.engines import Engines, ensure_plan, refit
from sparring.errors import Divergence, RunError, SparringError, TrainingError
from sparring.experiment import Experiment, Material
from sparring.limits import Bound, Limits
from sparring.measuring import Measuring
from sparring.plan import Plan
from sparring.planning import affordable, extended, of_a_run_that_was_over
from sparring.privacy import secret, secret_seed
from sparring.processes import agreed, is_first
from sparring.record import Record
from sparring.remedies import experiment_after, remedy
from sparring.rooming import divided
from sparring.run import Run
from sparring.signs import refuse_not_finite
from sparring.specimens import GRID, draw
from sparring.thinning import thin
from sparring.training import Engine
from sparring.watch import NotFinite
from sparring.watching import Watching, acts

Kept = tuple[dict[str, torch.Tensor], dict[str, Any]] | None
Trouble = tuple[int, str]
"""Which detector wants the run to go back, and what it saw."""


class Session:
    """A run in progress.

    Args:
        run: its folder, made ready.
        experiment: what is played.
        material: what it works on.
        limits: when to stop.
        device: where it is played.
    """

    def __init__(self, run: Run, experiment: Experiment, material: Material, limits: Limits, device: torch.device):
        self.run, self.experiment, self.material = run, experiment, material
        self.limits, self.device, self.begun = limits, device, time.monotonic()
        self.privacy = experiment.training.privacy
        seed = None if self.privacy is None else secret_seed(secret(run.data), experiment.seed)
        self.engines = Engines(experiment, material, device, seed)
        self.earlier = 0.0
        self.notes: list[str] = []
        self.changes: tuple[str, ...] = ()
        self.measuring = Measuring(run, experiment, material)
        # A run that was killed before its first checkpoint starts by its plan.
        self.engine = self._restored() or self._prepared(None, ensure_plan(run, self.engines, limits))
        self.sums: dict[str, tuple[torch.Tensor, int]] = {}
        self.saved = self.engine.step_number

    def _restored(self) -> Engine | None:
        """The engine where the newest whole checkpoint stands; None where there is none."""
        kept = self.run.restore()
        if kept is None:
            return None
        tensors, counters, damaged = kept
        changed = refit(self.run, self.engines, self.limits)
        return self._prepared((tensors, counters), [*changed, *damaged, f"goes on after step {counters['step']:,}"])

    def _prepared(self, kept: Kept, notes: list[str]) -> Engine:
        """The engine of the stored plan in a state that was kept or fresh, with logs that say no more than it."""
        engine = self._standing(kept)
        self.notes += notes
        timing = self.run.records("timing")
        self.earlier = timing[-1].get("seconds", 0.0) if timing else 0.0
        # A resumed run is lengthened or shortened where new limits say so.
        stored, step = engine.plan, engine.step_number
        engine.plan, length = extended(stored, self.limits, step=step, seconds=self.earlier)
        if length is not None or engine.plan.amendments != stored.amendments:
            self._amend(engine, length or engine.plan.length())
        self.notes += of_a_run_that_was_over(engine.plan, stored, step) if kept is not None else []
        return engine

    def _standing(self, kept: Kept) -> Engine:
        if dist.is_initialized():
            dist.barrier()
        plan = Plan.from_json(self.run.read(self.run.plan))
        torch.set_num_threads(plan.threads)
        engine, self.changes = self.engines(plan), ()
        if kept is not None:
            try:
                engine.load(*kept)
            except (RuntimeError, KeyError, ValueError, TypeError) as error:
                said = " ".join(str(error).split())[:200]
                raise RunError(f"{self.run.saved}: the checkpoint does not fit the experiment: {said}") from None
        if agreed(self.device, engine.step_number) != engine.step_number:
            raise RunError(f"{self.run.folder}: the processes read different checkpoints; is the folder shared by all?")
        if is_first():
            self.run.cut(engine.step_number)
            self.watching = Watching(self.run, plan, engine.step_number)
            self._prune(plan, engine.step_number)  # a full disk may have left older ones
            if kept is not None:  # a newer one may have been written before a kill
                self.run.write_tensors(self.run.generator, dict(engine.averages.state_dict()))
        return engine

    def _prune(self, plan: Plan, step: int) -> None:
        training = self.experiment.training
        self.run.prune(step, training.keep, self.watching.well(training.watch, step), plan.saves)

    def _amend(self, engine: Engine, length: int, until: str = "") -> None:
        engine.plan = engine.plan.amended(engine.step_number, length, until)
        if is_first():
            self.run.write(self.run.plan, engine.plan.to_json())

    def seconds(self) -> float:
        """Training time of the run over all its sessions."""
        return self.earlier + time.monotonic() - self.begun

    def play(self) -> Iterator[Record]:
        """Steps to the end.

        A record is given when all that belongs to its step is done, so that a run can be closed at any.
        """
        told, wrong = [self._record({}, 0.0, note) for note in self.notes], None
        while True:
            try:
                yield from told
            except GeneratorExit:
                if wrong is None and self.engine.step_number != self.saved:
                    self._save()
                raise
            if wrong is not None:
                raise wrong
            if self.engine.step_number >= self.engine.plan.length():
                break
            told = []
            try:
                self._advance(told)
            except SparringError as found:
                wrong = found
        if self.engine.step_number != self.saved:
            self._save()
        if dist.is_initialized():
            dist.barrier()

    def _advance(self, told: list[Record]) -> None:
        """Plays to the next record, and does all that is to be done there.

        Args:
            told: gets the records, which an error leaves in it.
        """
        since, clock = self.engine.step_number, time.monotonic()
        try:
            trouble = self._steps()
        except (RuntimeError, MemoryError) as error:
            told.append(self._divide(error))
            return
        speed = (self.engine.step_number - since) / max(time.monotonic() - clock, 1e-9)
        if trouble is None:
            told.append(self._log(speed))
            trouble = self._look(told)
        if trouble is not None:
            told.append(self._go_back(*trouble))
            return
        self._keep_to_budget(speed, told)
        plan, step = self.engine.plan, self.engine.step_number
        ends = step >= plan.length()
        if plan.saves(step):
            # Before the checkpoint, which would otherwise be of a run whose last numbers are missing.
            wanted = ends or self.limits.until is not None or self.measuring.due(self.engine)
            found = self._judge() if wanted else None
            if not ends:
                self._stop_if_similar_enough(found, told)
            self._save()
            told.append(self._seen(found))

    def _steps(self) -> Trouble | None:
        """Plays to the step of the next record; what is to be done where one diverged."""
        while (trouble := self._step()) is None and not self._tells(self.engine.step_number):
            pass
        return trouble

    def _tells(self, step: int) -> bool:
        """Whether there is a record of a step."""
        return step % self.engine.plan.log_every == 0 or step >= self.engine.plan.length()

    def _step(self) -> Trouble | None:
        """One step; what is to be done where it diverged."""
        engine = self.engine
        if (changes := engine.plan.changes(engine.step_number)) != self.changes:
            changed = experiment_after(self.experiment, changes)
            engine.adopt(changed.task, changed.training)
            self.changes = changes
        engine.measures = self._tells(engine.step_number + 1)
        try:
            self._add(engine.step())
            if engine.measures:  # a checkpoint may follow
                refuse_not_finite(engine)
        except Divergence as found:
            number = next((i for i, d in enumerate(engine.training.watch) if isinstance(d, NotFinite)), None)
            if number is None or engine.training.watch[number].remedy != "roll-back":
                raise
            return number, str(found)
        return None

    def _look(self, told: list[Record]) -> Trouble | None:
        """Tells what the detectors find; what is to be done, where one of them wants more than that.

        Raises:
            TrainingError: a detector stops the run.
        """
        detectors = self.engine.training.watch
        alarms = self.watching.alarms(detectors) if is_first() else {}
        for number, text in alarms.items():
            if detectors[number].remedy == "tell" and not isinstance(detectors[number], NotFinite):
                self.watching.tell(detectors[number], self.engine, text)
                told.append(self._record({}, 0.0, text))
        acting = next((n for n, d in enumerate(detectors) if n in alarms and acts(d)), -1)
        if (acting := agreed(self.device, acting)) < 0:
            return None
        text = alarms.get(acting, "the first process saw an alarm")
        if detectors[acting].remedy != "roll-back":
            raise TrainingError(f"{text}; stopped after step {self.engine.step_number:,} by {detectors[acting].name}")
        return acting, text

    def _go_back(self, number: int, text: str) -> Record:
        """Goes back to the last good checkpoint, or to the start, and on with one thing changed.

        Raises:
            TrainingError: it has been tried as often as may be.
        """
        plan, training = self.engine.plan, self.engine.training
        tried = [amendment.step for amendment in plan.amendments if amendment.changes]
        if len(tried) >= training.rescues:
            raise TrainingError(f"{text}; the run has gone back {len(tried)} times before (training.rescues)")
        well = self.watching.well(training.watch, self.engine.step_number) if is_first() else 0
        kept = self.run.good(agreed(self.device, well), plan.saves, tried)
        back = 0 if kept is None else kept[1]["step"]
        played = self.experiment.but(task=self.engine.task, training=training)
        changes = remedy(played, training.watch[number].change, self.material.spec, plan.precision)
        if is_first():
            # The amendment last: without it, the run comes to the same place again.
            self.run.forget(back)
            if kept is None:
                self.run.generator.unlink(missing_ok=True)
            self.run.cut(back)
            self.run.write(self.run.plan, plan.changed(back, changes, text).to_json())
        self._replace(None if kept is None else kept[:2])
        return self._record({}, 0.0, f"{text}; goes back to step {back:,} and on with {', '.join(changes)}")

    def _divide(self, error: Exception) -> Record:
        """Goes back to the last whole checkpoint, or to the start, and on in more parts, where memory ran out."""
        plan = divided(self.engine.plan, self.experiment, self.limits, error, self.engines)
        self.run.write(self.run.plan, plan.to_json())
        kept = self.run.restore()
        self._replace(None if kept is None else kept[:2])
        return self._record({}, 0.0, f"memory ran out; goes back to step {self.saved:,}, on in {plan.accumulate} parts")

    def _replace(self, kept: Kept) -> None:
        """Takes an engine in a state that was kept or fresh; the one before goes first: memory may not hold both."""
        del self.engine
        gc.collect()  # errors that were handled on its way hold it in a circle
        self.engine, self.sums = self._standing(kept), {}
        self.saved = self.engine.step_number

    def _judge(self) -> evaluation.Evaluation | None:
        """Quick numbers of what the model makes now, by the first process; ``timing.jsonl`` says what all took."""
        if not is_first() or self.privacy is not None:
            return None
        found = self.measuring(self.engine)
        self.run.append("timing", {"step": self.engine.step_number, **self.measuring.cost(self.seconds())})
        return found

    def _seen(self, found: evaluation.Evaluation | None) -> Record:
        """What can be looked at after a save: numbers where some were taken, and the picture."""
        record = self._record({}, 0.0)
        metrics = {} if found is None else {row.name: row.value for row in found.rows}
        grid = self.run.samples / f"{record.step:08d}.png"
        return replace(record, metrics=metrics, grid=grid if grid.is_file() else None)

    def _add(self, terms: dict[str, torch.Tensor]) -> None:
        for name, value in terms.items():
            total, count = self.sums.get(name, (torch.zeros_like(value), 0))
            self.sums[name] = (total + value, count + 1)

    def _log(self, speed: float) -> Record:
        """Writes and returns the record of the steps since the last one."""
        engine = self.engine
        terms = {name: float(total) / count for name, (total, count) in self.sums.items()}
        for name, buffer in engine.players.named_buffers():
            if name.startswith("memory-") and buffer.ndim == 0 and buffer.is_floating_point():
                terms[name.removeprefix("memory-")] = float(buffer)
        self.sums = {}
        if self.privacy is not None and engine.plan.account is not None:
            terms["privacy/epsilon"] = engine.plan.account.spent(self.privacy, engine.step_number)
        record = self._record(terms, speed * engine.plan.images_per_step)
        if is_first():
            signs = self.watching.signs(engine)
            self.run.append("log", {"step": record.step, "images": record.images, "terms": terms} | signs)
            timing = {"images_per_second": round(record.images_per_second, 2), "seconds": round(record.seconds, 3)}
            self.run.append("timing", {"step": record.step, **timing})
            record = replace(record, signs=signs.get("signs", {}))
        return record

    def _record(self, terms: dict[str, float], images_per_second: float, note: str | None = None) -> Record:
        step, length = self.engine.step_number, self.engine.plan.length()
        return Record(step, length, self.engine.images, terms, images_per_second, self.seconds(), note)

    def _keep_to_budget(self, speed: float, told: list[Record]) -> None:
        """Amends the length where the machine turned out slower or faster than planned."""
        plan = self.engine.plan
        if plan.minutes is None:
            return
        asked = bool(self.limits.steps or self.limits.images)
        length = affordable(plan, self.engine.step_number, seconds=self.seconds(), speed=speed, longer=not asked)
        length = agreed(self.device, length)
        if length != plan.length():
            self._amend(self.engine, length)
            said = f"the speed changed: {length:,} steps fit into {plan.minutes:g} minutes"
            told.append(self._record({}, 0.0, said))

    def _stop_if_similar_enough(self, found: evaluation.Evaluation | None, told: list[Record]) -> None:
        if self.limits.until is None:
            return
        bound, values = Bound.parse(self.limits.until), {r.name: weighed(r) for r in found.rows} if found else {}
        # A number that cannot be taken now, of a model that makes no sense yet, is no reason to stop.
        reached = bound.of(values) is not None and bound.holds(values)
        if agreed(self.device, int(reached)):
            self._amend(self.engine, self.engine.step_number, self.limits.until)
            told.append(self._record({}, 0.0, f"{self.limits.until} is reached"))

    def _save(self) -> None:
        """Writes model, picture and, last, the checkpoint, so that a crash leaves none that is newer than the model."""
        plan, self.saved = self.engine.plan, self.engine.step_number
        if not is_first():
            return
        with self.engine.sampling() as sampled:  # the batch norms of what is written are those of averaged weights
            averages = dict(sampled.state_dict())
        tensors, counters = self.engine.state()
        self.run.refuse_full_disk(sum(t.numel() * t.element_size() for t in [*tensors.values(), *averages.values()]))
        self.run.write_tensors(self.run.generator, averages)
        draw(self.engine, self.experiment, self.material, self.run, GRID)
        if plan.saves(self.saved):
            thin(self.run, plan, self.experiment.training, step=self.saved)
        self.run.save(self.saved, tensors, counters)
        self._prune(plan, self.saved)
