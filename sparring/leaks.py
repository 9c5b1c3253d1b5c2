"""Leaks: what would tell more of a row than a private run promises, refused when the experiment is built."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from sparring.agreement import Agreement
from sparring.data.reader import Chances
from sparring.errors import RequestError
from sparring.losses import AdversarialLoss
from sparring.networks.layers import compares
from sparring.part import Part, walk
from sparring.penalties import Penalty
from sparring.plan import Plan
from sparring.settings import Training
from sparring.tasks import Task
from sparring.views import AdaptiveAugment, Pack

_ASK = "private training refuses"


def refuse_parts(task: Task) -> None:
    """Refuses parts that would leak.

    Raises:
        RequestError: the first one, why, and the remedy.
    """
    if not task.game.guarded:
        raise RequestError(
            f"{_ASK} the game '{task.game.name}', whose players that are given away learn from real rows; take latent"
        )
    if task.attributes:
        raise RequestError(
            f"{_ASK} attributes that can be asked for ({', '.join(task.attributes[:3])}): rows would be "
            "drawn by how often classes are there, by raw counts; leave --attributes out"
        )
    for part in _parts(task):
        for kind, refusal in _REFUSALS:
            if isinstance(part, kind) and (why := refusal(part)):
                raise RequestError(f"{_ASK} {why}")


def _parts(task: Task) -> Iterable[Part]:
    return (value for _, value in walk(task) if isinstance(value, Part))


def _loss(loss: Any) -> str:
    if not loss.relativistic:
        return ""
    return (
        f"the relativistic loss '{loss.name}', which holds rows against each other; take loss=non-saturating or hinge"
    )


def _penalty(penalty: Any) -> str:
    return (
        f"the penalty '{penalty.name}', whose gradient or average over real rows is not clipped by row; "
        "take --set penalties=[] or a constraint"
    )


def _pack(pack: Any) -> str:
    if pack.count == 1:
        return ""
    return f"packs of {pack.count} rows, in which a row changes the verdict on others; take --set views=[]"


def _adaptive(view: Any) -> str:
    return f"'{view.name}', whose strength follows scores of private rows; take --set views=[]"


def _agreement(agreement: Any) -> str:
    return f"the agreement '{agreement.name}', by which the generator sees real rows; take --set agreements=[]"


_REFUSALS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (AdversarialLoss, _loss),
    (Penalty, _penalty),
    (Pack, _pack),
    (AdaptiveAugment, _adaptive),
    (Agreement, _agreement),
)


def refuse_networks(players: nn.ModuleDict, guarded: Iterable[str]) -> None:
    """Refuses networks in which a row changes what is made of others.

    Args:
        players: every module of the game.
        guarded: the players that see real rows.

    Raises:
        RequestError: the first layer, and the remedy.
    """
    norms = nn.modules.batchnorm._BatchNorm
    for name, player in players.items():
        if any(isinstance(layer, norms) for layer in player.modules()):
            raise RequestError(
                f"{_ASK} batch norm in the {name}, by which a row changes what is made of others; take "
                "network.norm=layer or none, or a network without it"
            )
        if compares(player):
            raise RequestError(f"{_ASK} minibatch deviation in the {name}, which compares rows; take network=tabular")
    for name in guarded:
        kept = [buffer for buffer, _ in players[name].named_buffers()]
        if kept:
            raise RequestError(
                f"{_ASK} the {name}'s running numbers ({kept[0]}), which are not noised; take network=tabular"
            )


def refuse_engine(players: nn.ModuleDict, guarded: Iterable[str], *, plan: Plan, reader: Any, world: int) -> None:
    """Refuses to play privately what is not set up for it.

    Raises:
        RequestError: what is missing.
    """
    refuse_networks(players, guarded)
    if world > 1:
        raise RequestError(f"{_ASK} several processes: batches are drawn by the rows' own chances; use one")
    if plan.account is None or not isinstance(reader, Chances):
        raise RequestError(f"{_ASK} a plan without an account of its noise; begin the run by sparring.train")
    if plan.precision == "bf16":
        raise RequestError(
            f"{_ASK} half precision, in which gradients are clipped wrongly; take training.precision=fp32"
        )


def refuse_choices(training: Training) -> None:
    """Refuses choices by private rows while training.

    Raises:
        RequestError: one is asked for.
    """
    if training.best != "none":
        raise RequestError(
            f"{_ASK} training.best={training.best}, a model chosen by private rows; take training.best=none"
        )
    if training.watch:
        raise RequestError(
            f"{_ASK} the detector '{training.watch[0].name}', after which steps are taken twice; take training.watch=[]"
        )


def refuse_selection(until: str | None) -> None:
    """Refuses to stop by what a metric says of private rows.

    Raises:
        RequestError: it is asked for.
    """
    if until is not None:
        raise RequestError(f"{_ASK} --until {until}: a choice by private rows tells of them; give --steps or --images")
