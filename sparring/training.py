"""The engine: plays any game. Turns, optimisers, averages, precision, devices, processes; it never learns which game.

A step is a pure function of (experiment, plan, weights, optimiser state, two counters), bit for bit on one CPU process.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sparring.clipping import noised, private_gradients
from sparring.data.reader import Batches, Chances
from sparring.errors import Divergence
from sparring.games import Game, Play, Turn
from sparring.leaks import refuse_engine
from sparring.optimisers import lay_out
from sparring.plan import Plan
from sparring.processes import average_over_processes, means_over_processes, parts
from sparring.randomness import Noise, derive, seed_torch
from sparring.settings import Training
from sparring.tasks import Task
from sparring.types import Batch, DataSpec, Samples, Terms

REMEDIES = "try a lower training.optimiser.rate, training.clip=1 or training.precision=fp32"
_DTYPES = {"fp32": torch.float32, "bf16": torch.float32, "fp64": torch.float64}


class Engine:
    """A game in progress.

    Attributes:
        players: every module of the game.
        averages: moving averages of the players that sampling needs, by name.
        step_number: steps done.
        images: real items seen in counting turns, over all processes.
        position: real items read, over all turns and processes.
        plan: the plan; may be replaced by an amended one between steps.
        measures: whether the next step measures gradients.
        gradients: norm of each player's gradient, before clipping, where the last step measured them.
    """

    def __init__(  # noqa: PLR0913
        self,
        task: Task,
        training: Training,
        spec: DataSpec,
        *,
        train: Batches,
        select: Batches | None,
        plan: Plan,
        seed: int,
        device: torch.device,
    ):
        self.task, self.game, self.training, self.plan = task, task.game, training, plan
        self.train, self.select, self.seed, self.device = train, select, seed, device
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        self.parts = parts(training.batch, training.accumulate * plan.accumulate, self.rank, self.world)
        self.dtype = _DTYPES[plan.precision]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "weights"))
            self.players = self._placed(task.game.players(task.spec(spec)))
        if training.privacy is not None:
            refuse_engine(self.players, task.game.guarded, plan=plan, reader=train, world=self.world)
        self.averages = nn.ModuleDict({n: copy.deepcopy(self.players[n]) for n in task.game.averaged()})
        self.averages.requires_grad_(False)
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.step_number = self.images = self.position = 0
        self.measures = False
        self.gradients: dict[str, float] = {}

    def adopt(self, task: Task, training: Training) -> None:
        """Goes on with other settings; players, batch and the parts that hold a memory must be the same."""
        self.task, self.game, self.training = task, task.game, training

    def _placed(self, modules: nn.ModuleDict) -> nn.ModuleDict:
        modules = modules.to(self.device, self.dtype)
        if self.plan.layout == "channels-last":
            modules = modules.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return modules

    def step(self) -> Terms:
        """Plays every turn of the next step once.

        Returns:
            The terms of all turns, detached, named ``turn/term``.

        Raises:
            Divergence: a term is not finite, or in several processes a gradient.
        """
        self.players.train()
        self.gradients = {}
        found: Terms = {}
        with torch.random.fork_rng(devices=[]):
            for number, turn in enumerate(self.game.turns(self.step_number)):
                if turn.when is not None and not turn.when(self.plan.progress(self.step_number)):
                    continue
                terms = self._turn(number, turn)
                found |= {f"{turn.name}/{name}": value for name, value in terms.items()}
        self._share_buffers()
        self.step_number += 1
        self._average()
        return found

    def _turn(self, number: int, turn: Turn) -> Terms:
        self._only_these_learn(turn.learners)
        key = (self.seed, self.step_number, number)
        guarded = self.training.privacy is not None and any(name in self.game.guarded for name in turn.learners)
        found = self._guarded_gradients(turn, key) if guarded else self._gradients(turn, key)
        for name in turn.learners:
            self._update(name)
        if turn.after is not None:
            turn.after(self.players)
        self.position += self.training.batch
        self.images += self.training.batch if turn.counts else 0
        return found

    def _gradients(self, turn: Turn, key: tuple[int, ...]) -> Terms:
        found: Terms = {}
        for rows in self.parts:
            play = self._play(key, rows)
            seed_torch(play.noise.seed("torch"), self.device)
            with self.autocast():
                terms = turn.terms(play)
            total = torch.stack(list(terms.values())).sum()
            # Of several processes all must find it; there the shared gradient tells.
            if self.world == 1 and not torch.isfinite(total):
                raise Divergence(_not_finite(terms, turn, self.step_number))
            (total / len(self.parts)).backward()
            found = {n: found.get(n, 0) + v.detach() / len(self.parts) for n, v in terms.items()}
        if turn.skip is not None and turn.skip(means_over_processes(found, self.world)):
            for name in turn.learners:
                self.players[name].zero_grad(set_to_none=True)
        return found

    def _guarded_gradients(self, turn: Turn, key: tuple[int, ...]) -> Terms:
        """Leaves the private gradients of a turn with its learner; its terms are those of private rows and not told."""
        privacy, account, (name,) = self.training.privacy, self.plan.account, turn.learners
        assert privacy is not None
        assert account is not None
        assert isinstance(self.train, Chances)
        batch = self.ready(self.task.batch(self.train.drawn(self.position, account.rate)))

        def loss(rows: slice) -> Tensor:
            noise = Noise(key, rows, len(batch), self.device, self.dtype)
            seed_torch(noise.seed("torch"), self.device)
            play = replace(self._play(key, slice(0, 0)), batch=batch.part(rows), noise=noise)
            return torch.stack(list(turn.terms(play).values())).sum()

        player = self.players[name]
        sums = private_gradients(player, loss, len(batch), clip=privacy.clip, at_once=privacy.at_once)
        for weight, total in zip(player.parameters(), noised(sums, account.noise * privacy.clip, key), strict=True):
            weight.grad = total / self.training.batch  # the size that is expected: the real one is private
        return {}

    def _play(self, key: tuple[int, ...], rows: slice) -> Play:
        return Play(
            players=self.players,
            batch=self.ready(self.task.batch(self.train.batch(self.position, rows))),
            noise=Noise(key, rows, self.training.batch, self.device, self.dtype),
            step=self.step_number,
            images=self.images,
            progress=self.plan.progress(self.step_number),
            planned=self.plan.length(self.step_number) * self.plan.images_per_step,
            held_back=lambda: self._held_back(rows),
        )

    def _held_back(self, rows: slice) -> Batch | None:
        if self.select is None:
            return None
        return self.ready(self.task.batch(self.select.batch(self.position, rows)))

    def ready(self, batch: Batch) -> Batch:
        """A batch on the device in the run's number format and layout."""

        def move(tensor: Tensor) -> Tensor:
            if tensor.is_floating_point():
                tensor = tensor.to(self.device, self.dtype)
            if tensor.ndim == 4 and self.plan.layout == "channels-last":
                return tensor.contiguous(memory_format=torch.channels_last)
            return tensor.to(self.device).contiguous()

        return batch.map(move)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which networks run."""
        # What the training says goes before what was found fastest: a remedy may take fp32.
        asked = self.training.precision
        if (self.plan.precision if asked == "auto" else asked) != "bf16":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _only_these_learn(self, learners: Sequence[str]) -> None:
        for name in self.players:
            for weight in self._weights(name):
                weight.requires_grad_(name in learners)

    def _weights(self, name: str) -> list[nn.Parameter]:
        """A player's weights; once it has an optimiser from there, as walking through modules takes longer."""
        if name in self.optimisers:
            return [weight for group in self.optimisers[name].param_groups for weight in group["params"]]
        return list(self.players[name].parameters())

    def _update(self, name: str) -> None:
        """One step of a player's optimiser with the gradients of all processes."""
        optimiser = self._optimiser(name)
        gradients = [w.grad for w in self._weights(name) if w.grad is not None]
        if not gradients:
            return
        average_over_processes(gradients, self.world)
        if self.measures or self.world > 1:
            self._measure(name, gradients)
        if self.training.clip is not None:
            nn.utils.clip_grad_norm_(self._weights(name), self.training.clip)
        settings = self.training.per_player.get(name, self.training.optimiser)
        for group in optimiser.param_groups:
            group.update(settings.settings(self.plan.progress(self.step_number)))
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    def _measure(self, name: str, gradients: list[Tensor]) -> None:
        norm = float(torch.stack(torch._foreach_norm(gradients)).norm())  # pyright: ignore[reportPrivateImportUsage]
        if self.world > 1 and not math.isfinite(norm):
            raise Divergence(f"the gradient of the {name} in step {self.step_number} is not finite; {REMEDIES}")
        if self.measures:
            self.gradients[name] = norm

    def _optimiser(self, name: str) -> torch.optim.Optimizer:
        """A player's optimiser, made when it first learns: modules may be built lazily from the first batch."""
        if name not in self.optimisers:
            settings = self.training.per_player.get(name, self.training.optimiser)
            self.optimisers[name] = settings.build(list(self.players[name].parameters()))
        return self.optimisers[name]

    def _share_buffers(self) -> None:
        """Floating-point buffers (running statistics, adaptive strengths) are averaged over processes."""
        if self.world > 1:
            buffers = [b for b in self.players.buffers() if b.is_floating_point()]
            average_over_processes(buffers, self.world)

    @torch.no_grad()
    def _average(self) -> None:
        half_life = self.training.average * self.images
        if self.training.average_images is not None:
            half_life = min(half_life, self.training.average_images)
        keep = 0.5 ** (self.plan.images_per_step / half_life) if half_life > 0 else 0.0
        for name, average in self.averages.items():
            now = self.players[name]
            kept_weights: list[Tensor] = list(average.parameters())
            torch._foreach_lerp_(kept_weights, list(now.parameters()), 1 - keep)  # pyright: ignore
            for kept, buffer in zip(average.buffers(), now.buffers(), strict=True):
                kept.copy_(buffer)

    @contextmanager
    def sampling(self) -> Iterator[nn.ModuleDict]:
        """The averaged players in eval mode, their batch norm recalibrated."""
        self._recalibrate()
        self.averages.eval()
        yield self.averages

    def _recalibrate(self) -> None:
        """Batch-norm statistics of averaged weights, from fixed latents: those of the learning weights do not fit."""
        norms = [m for m in self.averages.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        if not norms:
            return
        for norm in norms:
            norm.reset_running_stats()
            norm.train()
        momenta = [norm.momentum for norm in norms]
        size = min(256, max(self.training.batch, 2))
        for norm in norms:
            norm.momentum = None
        with torch.no_grad():
            for block in range(8):
                numbers = range(block * size, (block + 1) * size)
                batch = self.ready(self.task.batch(self.train.batch(block * size, slice(0, size))))
                latents = self.game.draw(0, numbers).to(self.device, self.dtype)
                self.game.sample(self.averages, batch.condition, latents)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that changes while playing: tensors by name, and counters with the optimisers' numbers."""
        tensors = {f"players.{k}": v for k, v in self.players.state_dict().items()}
        tensors |= {f"averages.{k}": v for k, v in self.averages.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            for number, values in optimiser.state_dict()["state"].items():
                there = {k: v for k, v in values.items() if isinstance(v, Tensor)}
                tensors |= {f"optimisers.{name}.{number}.{k}": v for k, v in there.items()}
        counters = {"step": self.step_number, "images": self.images, "position": self.position}
        return tensors, {**counters, "optimisers": list(self.optimisers)}

    def load(self, tensors: dict[str, Tensor], counters: dict[str, Any]) -> None:
        """Goes on from a state that :meth:`state` gave."""
        self.players.load_state_dict(_below(tensors, "players."))
        self.averages.load_state_dict(_below(tensors, "averages."))
        for name in counters["optimisers"]:
            optimiser = self._optimiser(name)
            held: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, f"optimisers.{name}.").items():
                number, _, what = key.partition(".")
                held.setdefault(int(number), {})[what] = value
            optimiser.load_state_dict({"state": held, "param_groups": optimiser.state_dict()["param_groups"]})
            lay_out(optimiser)
        self.step_number, self.images, self.position = (counters[k] for k in ("step", "images", "position"))


def _not_finite(terms: Terms, turn: Turn, step: int) -> str:
    wrong = ", ".join(f"{n} = {v.item()}" for n, v in terms.items() if not torch.isfinite(v))
    return f"{wrong or 'the sum of terms'} in the {turn.name}'s turn of step {step} is not finite; {REMEDIES}"


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


@torch.no_grad()
def sample(game: Game, players: nn.ModuleDict, condition: Tensor | None, latents: Tensor, chunk: int = 64) -> Samples:
    """Samples in eval mode and float32, in chunks of one fixed size padded at the end.

    Sample *i* is so bit for bit the same however many are asked for.

    Args:
        game: the game that the players play.
        players: averaged players.
        condition: encoded conditions ``(n, k)`` or None.
        latents: ``(n, d)``.
        chunk: rows of a chunk.
    """
    players.eval()
    weights = next(players.parameters())
    values = []
    for start in range(0, len(latents), chunk):
        part = _padded(latents[start : start + chunk], chunk).to(weights)
        asked = None if condition is None else _padded(condition[start : start + chunk], chunk).to(weights)
        values.append(game.sample(players, asked, part).value[: min(chunk, len(latents) - start)].float().cpu())
    return Samples(torch.cat(values))


def _padded(rows: Tensor, length: int) -> Tensor:
    """Rows up to ``length``, the first repeated at the end."""
    if len(rows) == length:
        return rows
    return torch.cat([rows, rows[:1].expand(length - len(rows), *rows.shape[1:])])
