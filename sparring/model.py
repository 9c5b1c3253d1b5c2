"""Model: what a run has learned, ready to sample and to judge."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparring.applying import Applied, apply_to
from sparring.archive import keep, weights_of
from sparring.augmenting import Augmented
from sparring.best import told_of_best
from sparring.chunked import by_chunks
from sparring.codec import Codec, filled, from_known_addresses, read_experiment, splits_of
from sparring.data import Dataset, DataSource, Decoded
from sparring.enlarged import augment
from sparring.errors import RequestError, RunError
from sparring.evaluation import Evaluation, evaluate
from sparring.experiment import Experiment, Material, gather_again, read_alike
from sparring.games import Autoencoding
from sparring.jury import Jury, wished
from sparring.metrics import Metric, Specimens
from sparring.modalities.asking import Asking
from sparring.randomness import derive
from sparring.reference import changed, fair, in_place
from sparring.refining import REFINER_SEED, Refiner, refuse_unrefined
from sparring.restoring import Restorer, examples
from sparring.run import Run
from sparring.sides import Judged
from sparring.tasks.picture import PictureTask, picture_task, refuse_other_settings
from sparring.training import sample
from sparring.types import verdict

BLOCK = 16_384
"""Items that are made and decoded at once, so that memory does not grow with their number."""

EVALUATION_SEED = 1
"""Of the latents that are judged; the pictures of a run come from seed 0."""


class Model:
    """A trained model.

    Attributes:
        run: its folder.
        experiment: what it was trained by.
        modality: the codec of items.
        conditions: the codec of attributes, or None where nothing can be asked for.
        codec: both, and the codec of what items are made from.
        best: whether it is the run's best model instead of the last.
    """

    def __init__(self, run: Run, experiment: Experiment, codec: Codec, players: nn.ModuleDict, *, best: bool = False):
        self.run, self.experiment, self.codec, self.best = run, experiment, codec, best
        self.modality, self.conditions = codec.modality, codec.conditions
        self._players = players

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        condition: Mapping[str, Any] | None = None,
        truncation: float = 1.0,
        refine: int = 1,
    ) -> Decoded:
        """New items in the form of the data, ``(n, h, w, c)`` integers for pictures.

        Item *i* depends on the seed and *i* alone, not on how many are asked for.

        Args:
            n: how many.
            seed: of latents and of conditions that are not asked for.
            condition: asked attributes, ``{"gender": "female", "age": (30, 40)}``.
            truncation: scale of the latents; below 1 nearer to the mean, less varied.
            refine: candidates for each row of a table, of which one is taken by the odds that a classifier of real and
                generated rows gives them; it reads the data that were learned from.

        Raises:
            RequestError: an attribute or value that the model does not know, or items that are not refined.
            DataError: rows are to be refined, and the data cannot be read any more.
        """
        asked = {"seed": seed, "condition": condition, "truncation": truncation, "refine": refine}
        return self.sample_with_conditions(n, **asked)[0]

    def sample_with_conditions(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        condition: Mapping[str, Any] | None = None,
        truncation: float = 1.0,
        refine: int = 1,
    ) -> tuple[Decoded, dict[str, np.ndarray]]:
        """New items as :meth:`sample` gives them, with the attributes that each was made for, ``(n,)`` each."""
        if isinstance(self.experiment.task, PictureTask):
            raise RequestError(
                f"this model makes pictures of given ones: sparring apply {self.run.folder} INPUT -o PATH"
            )
        if n < 1:
            raise RequestError(f"n = {n}: at least one item must be asked for")
        if not truncation > 0:
            raise RequestError(f"truncation = {truncation}: must be above 0")
        refuse_unrefined(refine, rows=bool(self.modality.described()), privacy=self.experiment.training.privacy)
        requests, parts, found = dict(condition or {}), [], []
        game = self.experiment.task.game
        for start in range(0, n, BLOCK):
            numbers = range(start, min(n, start + BLOCK))
            drawn = self.asking.draw(seed, numbers, requests)
            made = []
            for own in [seed, *(derive(seed, "candidate", number) for number in range(1, refine))]:
                latents = game.truncated(self._players, game.draw(own, numbers), truncation)
                items = sample(game, self._players, drawn.encoded, latents, self.modality.at_once)
                made.append(self.modality.finished(items.value, requests))
            parts.append(made[0] if refine == 1 else self._refiner.chosen(made, seed, numbers))
            found.append(drawn.columns)
        columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        return self.modality.joined(parts), columns

    @cached_property
    def _refiner(self) -> Refiner:
        material = gather_again(self.experiment, self.modality)
        train = material.splits.train
        return Refiner.of(material.data.items[train], self.sample(len(train), seed=REFINER_SEED))

    def restorer(self, **asked: Any) -> Restorer:
        """What restores or translates pictures; ``asked`` are fields of it.

        Raises:
            RequestError: the model makes items from noise, or what is asked does not fit it.
        """
        task = self.experiment.task
        return Restorer(picture_task(task), self._players, self.codec.spec(task), **asked)

    def apply(
        self,
        pictures: np.ndarray | str | Path | Sequence[str | Path],
        *,
        out: str | Path | None = None,
        mask: np.ndarray | str | Path | None = None,
        overwrite: bool = False,
        **asked: Any,
    ) -> np.ndarray | Applied:
        """Restores or translates pictures: an array gives an array, files and folders give files.

        Args:
            pictures: ``(h, w, c)`` or ``(n, h, w, c)`` integers with 1 or 3 channels, or 2 or 4 with alpha; or a path,
                or several; folders are searched for pictures.
            out: where files go: a folder, or a file for one picture.
            mask: holes to be filled in: ``(h, w)`` bool or ``(n, h, w)`` for arrays; a file or a folder for files.
            overwrite: replace files that are there; inputs never are.
            **asked: ``tile``, ``seed``, ``strength``, ``scale`` and ``turns`` of :class:`~sparring.restoring.Restorer`.

        Raises:
            RequestError: the model is none of pictures from pictures, or an argument does not fit.
        """
        return apply_to(self.restorer(**asked), pictures, out=out, mask=mask, overwrite=overwrite)

    @cached_property
    def asking(self) -> Asking:
        """What can be asked for of its items."""
        return self.codec.asking(self.run.codec, self.experiment.task)

    def save(self, items: Decoded, path: str | Path, conditions: dict[str, np.ndarray] | None = None) -> list[Path]:
        """Writes items as a folder of files or as one file whose ending says its form."""
        return self.modality.save(items, Path(path), conditions)

    def score(self, items: Decoded, attributes: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """The discriminator's verdict on each item, ``(n,)`` float32: higher is more like the data.

        Where the game has no discriminator, the bound on each item's log-likelihood that it gives, in nats.

        Args:
            items: in the form that :meth:`sample` gives.
            attributes: of each item, ``(n,)`` strings each; a conditional model needs them all, and where they are not
                given, the verdict is averaged over 16 draws from the data's own distribution.

        Raises:
            RequestError: the items have another shape than the data.
        """
        if isinstance(self.experiment.task, PictureTask):
            raise RequestError("a model from pictures to pictures scores none; 'sparring evaluate' judges it")
        shape = (len(items), *self.modality.spec().shape)
        encoded = self.modality.encode(items)
        if tuple(encoded.shape) != shape:
            raise RequestError(f"items of shape {tuple(encoded.shape)[1:]} cannot be judged by a model of {shape[1:]}")
        return np.mean([self._verdicts(encoded, own) for own in self.asking.own(encoded, attributes)], axis=0)

    def _verdicts(self, encoded: Tensor, condition: Tensor | None) -> np.ndarray:
        players, game = self._with_discriminator(), self.experiment.task.game
        return by_chunks(players, lambda batch: verdict(game.score(players, batch)), encoded, condition).numpy()

    def augment(self, items: Any, labels: Any = None, **asked: Any) -> Augmented:
        """Balances or enlarges labelled items, and measures whether it helps; see :func:`sparring.enlarged.augment`."""
        return augment(self, items, labels, **asked)

    def reconstruct(self, items: np.ndarray, attributes: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Items as an autoencoding model gives them back, in the form of the data.

        Args:
            items: in the form that :meth:`sample` gives.
            attributes: of each item, ``(n,)`` strings each; needed where the model is conditional.

        Raises:
            RequestError: the model's game does not encode items, or attributes are missing.
        """
        game, condition = self.experiment.task.game, None
        if not isinstance(game, Autoencoding):
            raise RequestError(f"a model of the game '{game.name}' reconstructs nothing; one of --recipe vae does")
        if self.conditions is not None:
            if not set(self.asking.titles()) <= set(attributes or {}):
                raise RequestError(f"reconstruct needs the items' attributes {', '.join(self.conditions.titles)}")
            condition = torch.as_tensor(self.conditions.encode(dict(attributes or {})))
        encoded = self.modality.encode(np.asarray(items))
        return self.modality.decode(
            by_chunks(self._players, lambda batch: game.reconstruct(self._players, batch).value, encoded, condition)
        )

    def read(self, data: str | Path | DataSource) -> Dataset:
        """Reads data in the way in which the model's own were read: size, colour, attributes.

        Raises:
            RequestError: there are no such data.
            DataError: they cannot be used.
        """
        return read_alike(self.experiment, self.modality, data)

    def evaluate(  # noqa: PLR0913
        self,
        *,
        against: str | Path | DataSource | None = None,
        metrics: Sequence[str | Metric] = (),
        features: str | None = None,
        weights: str | Path | None = None,
        count: int | None = None,
        beside: str | Path | None = None,
    ) -> Evaluation:
        """Judges the model, as :func:`sparring.evaluate` does."""
        if count is not None and count < 1:
            raise RequestError(f"count = {count}: at least one generated item must be asked for")
        rival = None if beside is None else self._rival(beside)
        material, said = self._reference(against, rival)
        there = len(material.splits.report)
        if isinstance(self.experiment.task, PictureTask) and there < (count or 0):
            raise RequestError(f"count = {count}: {there} pictures are held back to be restored; ask for no more")
        jury = Jury.of(self.experiment.task, material.data, **wished(metrics, features, weights), count=count)
        threshold = self.experiment.task.game.threshold()
        others = {} if rival is None else {rival.run.folder.name: lambda n: rival.specimens(material, n)}
        seed = None if isinstance(self.experiment.task, PictureTask) else EVALUATION_SEED
        asked = self.experiment.task.game.asked()
        judged = Judged(lambda n: self.specimens(material, n), self._verdict_on, threshold, others, seed, asked)
        found = evaluate(judged, material, jury, cache=None if against is not None else self.run.folder / "features")
        found = replace(found, protocol=found.protocol | said | self._which())
        usual = not metrics and all(asked is None for asked in (against, count, features, weights))
        if usual and not self.best:
            keep(self.run, found)
        return found

    def _which(self) -> dict[str, str]:
        """Which of the run's models is judged, where it is not the last."""
        if not self.best:
            return {}
        judge = " (with the last discriminator)" if self.experiment.task.game.adversarial else ""
        return {"model": f"the best, {told_of_best(self.run)}{judge}"}

    def _rival(self, run: str | Path) -> "Model":
        """Another run's model of the same task on items of the same kind."""
        rival = load(run)
        same = rival.experiment.task.name == self.experiment.task.name and rival.modality == self.modality
        if not same:
            raise RequestError(f"beside = {run}: a run of the same task on items of the same form is wanted")
        refuse_other_settings(self.experiment.task, rival.experiment.task, (str(self.run.folder), f"beside = {run}"))
        return rival

    def specimens(self, material: Material, n: int, rows: np.ndarray | None = None) -> Specimens:
        """What is judged: new items, or what is made of pictures of the data, with those and their truth.

        Args:
            material: the data, read.
            n: how many.
            rows: pictures that are chosen from, evenly; the *report* split where not given.
        """
        task = self.experiment.task
        if not isinstance(task, PictureTask):
            return Specimens(*self.sample_with_conditions(n, seed=EVALUATION_SEED))
        rows = material.splits.report if rows is None else rows
        return examples(task, self._players, material, rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)])

    def _verdict_on(self, side: Specimens) -> np.ndarray | None:
        task = self.experiment.task
        # Verdicts with attributes and verdicts averaged over draws of them are not on one scale.
        judges = task.game.adversarial and not isinstance(task, PictureTask) and self.asking.knows(side.columns)
        return self.score(side.items, side.columns) if judges else None

    def _reference(self, against: Any, rival: "Model | None") -> tuple[Material, dict[str, str]]:
        """The run's own data, or other data all of which are held back, and what a protocol says of them."""
        material = gather_again(self.experiment, self.modality)
        said = {"reference_split": "report"} | changed(self.run, self.experiment, material)
        if against is not None:
            material, more = in_place(material, self.read(against), str(against))
            said |= more
        if rival is not None and splits_of(rival.run, rival.experiment) != splits_of(self.run, self.experiment):
            theirs = partial(gather_again, rival.experiment, rival.modality)
            material, more = fair(material, {rival.run.folder.name: theirs})
            said |= more
        return material, said

    def _with_discriminator(self) -> nn.ModuleDict:
        """All players, the learning ones from the newest checkpoint."""
        game = self.experiment.task.game
        if not game.adversarial or set(self._players) != set(game.averaged()):
            return self._players
        kept = self.run.restore()
        if kept is None:
            raise RunError(f"{self.run.folder} has no checkpoint, and so no discriminator; train it on with --resume")
        held = {k.removeprefix("players."): v for k, v in kept[0].items() if k.startswith("players.")}
        players = filled(self.experiment, self.codec, held, self.run.saved, every=True)
        for name, averaged in self._players.items():
            players[name] = averaged
        self._players = players.to(next(self._players.parameters()).device)
        return self._players


def load(run: str | Path, *, device: str = "cpu", best: bool = False) -> Model:
    """The model of a run.

    Args:
        run: the run's folder.
        device: where it samples.
        best: the model that was best on held-back items while training, instead of the last.

    Raises:
        RequestError: the folder holds no run.
        RunError: the run has not saved a model yet, is damaged, or holds links in the place of its files.
    """
    folder = Run(run)
    if not folder.exists():
        raise RequestError(f"{run} holds no run; 'sparring train DATA --out {run}' makes one")
    folder.refuse_links()
    experiment = from_known_addresses(read_experiment(folder))
    codec = Codec.from_json(folder.read(folder.codec / "codec.json"))
    weights = weights_of(folder, best=best)
    averaged = filled(experiment, codec, folder.read_tensors(weights), weights)
    players = averaged.to(torch.device(device)).requires_grad_(False).eval()
    return Model(folder, experiment, codec, players, best=best)
