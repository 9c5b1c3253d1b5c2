"""Signs: what is observed of a game now and then, on a few fixed items and from fixed latents.

It costs a pass forward of each player over :data:`COUNT` items, and changes nothing that training goes by.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sparring.errors import Divergence
from sparring.training import REMEDIES, Engine
from sparring.types import Batch, precise, verdict
from sparring.watch import Signs

COUNT = 64
"""Items that are looked at."""


@torch.no_grad()
def observe(engine: Engine) -> Signs:
    """What :mod:`sparring.watch` looks at.

    Returns:
        ``weights NAME`` and, where the step measured them, ``gradient NAME``: norms; of an adversarial game also
        ``real``, ``fake``, ``held back`` (mean scores), ``largest score``, ``score spread``, ``separation``, ``gap``
        and ``gap certainty``; ``diversity`` of generated items (of one class where classes are asked for) as a share of
        the data's. None is what is not finite.
    """
    found = {f"gradient {name}": norm for name, norm in engine.gradients.items()} | _weights(engine)
    if all(map(math.isfinite, found.values())):
        engine.players.eval()
        with torch.random.fork_rng(devices=[]), engine.autocast():
            torch.manual_seed(0)
            found |= _of_items(engine)
        engine.players.train()
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def refuse_not_finite(engine: Engine) -> None:
    """Refuses to go on where a step has left weights that are not finite, before they are saved.

    Raises:
        Divergence: it has; the message names them.
    """
    wrong = [name for name, norm in _weights(engine).items() if not math.isfinite(norm)]
    if wrong:
        raise Divergence(f"{', '.join(wrong)} after step {engine.step_number}: a weight is not finite; {REMEDIES}")


def _weights(engine: Engine) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, player in engine.players.items():
        weights: list[Tensor] = [weight.detach() for weight in player.parameters()]
        if weights:
            norms = torch._foreach_norm(weights)  # pyright: ignore[reportPrivateImportUsage]
            found[f"weights {name}"] = float(torch.stack(norms).norm())
    return found


def _of_items(engine: Engine) -> dict[str, float]:
    rows = slice(0, min(COUNT, len(engine.train)))
    real = engine.ready(engine.task.batch(engine.train.batch(0, rows)))
    latents = engine.game.draw(0, range(len(real))).to(engine.device, engine.dtype)
    fake = precise(engine.game.sample(engine.players, real.condition, latents).value)
    found = {"diversity": _diversity(engine, real, fake)}
    if not engine.game.adversarial or "discriminator" not in engine.optimisers:
        return found
    judged = (
        _scores(engine, real),
        _scores(engine, replace(real, target=fake.to(real.target))),
    )
    found |= _between(*judged)
    if engine.select is not None:
        held = engine.ready(engine.task.batch(engine.select.batch(0, slice(0, min(COUNT, len(engine.select))))))
        found |= _gap(judged[0], _scores(engine, held), judged[1])
    return found


def _scores(engine: Engine, batch: Batch) -> Tensor:
    return verdict(engine.game.score(engine.players, batch)).double()


def _diversity(engine: Engine, real: Batch, fake: Tensor) -> float:
    """How much generated items vary, as a share of the data; where classes are asked for, among those of one class."""
    groups = np.zeros(len(real), np.int64)
    if real.condition is not None and real.condition.ndim == 2:
        batch = engine.task.batch(engine.train.batch(0, slice(0, min(8 * COUNT, len(engine.train)))))
        assert batch.condition is not None, "items of one reading have conditions or have none"
        _, asked = np.unique(batch.condition.numpy(), axis=0, return_inverse=True)
        rows = in_groups(asked)
        if len(rows) >= COUNT // 4:
            groups, chosen = asked[rows], torch.from_numpy(rows)
            real = engine.ready(batch.map(lambda values: values[chosen]))
            latents = engine.game.draw(0, range(len(rows))).to(engine.device, engine.dtype)
            fake = precise(engine.game.sample(engine.players, real.condition, latents).value)
    return _variety(fake, groups) / max(_variety(real.target, groups), 1e-12)


def in_groups(groups: np.ndarray, each: int = 8) -> np.ndarray:
    """Rows of the groups that have several: the largest groups first, at most ``each`` of one and :data:`COUNT` in all.

    Args:
        groups: the number of each row's group, ``(n,)``.
        each: rows of a group.
    """
    found: list[int] = []
    for group, count in sorted(enumerate(np.bincount(groups).tolist()), key=lambda pair: -pair[1]):
        if count < 2 or len(found) + min(count, each) > COUNT:
            break
        found += np.flatnonzero(groups == group)[:each].tolist()
    return np.array(found, np.int64)


def _variety(items: Tensor, groups: np.ndarray) -> float:
    """Root mean square deviation of an item's values from the means of its group."""
    values = items.double().flatten(1).cpu().numpy()
    numbers, places = np.unique(groups, return_inverse=True)
    means = np.stack([values[places == number].mean(0) for number in range(len(numbers))])
    squares = ((values - means[places]) ** 2).sum(0) / max(len(values) - len(numbers), 1)
    return float(np.sqrt(squares.mean()))


def _between(real: Tensor, fake: Tensor) -> dict[str, float]:
    both = torch.cat([real, fake])
    deviation = float(((real.var(correction=0) + fake.var(correction=0)) / 2).sqrt())
    return {
        "real": float(real.mean()),
        "fake": float(fake.mean()),
        "largest score": float(both.abs().max()),
        "score spread": float(both.max() - both.min()),
        "separation": float(real.mean() - fake.mean()) / max(deviation, 1e-12),
    }


def _gap(real: Tensor, held: Tensor, fake: Tensor) -> dict[str, float]:
    """r_v of Karras et al. 2020, eq. 1, and how far it is from chance."""
    told_apart, difference = float(real.mean() - fake.mean()), float(real.mean() - held.mean())
    error = float((real.var(correction=0) / len(real) + held.var(correction=0) / len(held)).sqrt())
    return {
        "held back": float(held.mean()),
        "gap": difference / told_apart if told_apart > 0 else 0.0,
        "gap certainty": difference / max(error, 1e-12),
    }
