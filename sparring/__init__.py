"""sparring: generative adversarial networks that learn the likeness of your data, on a laptop and beyond.

Public names are imported when they are first used, so that ``import sparring`` stays fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparring.api import apply, augment, evaluate, sample, score, train
    from sparring.checks import check
    from sparring.comparison import compare
    from sparring.estimators import TableGAN
    from sparring.experiment import Experiment
    from sparring.learning import steps
    from sparring.limits import Limits
    from sparring.model import Model, load
    from sparring.proposal import Proposal, propose
    from sparring.record import Record
    from sparring.reporting import report

__version__ = "0.1.0"

_HOMES = {
    "Experiment": "experiment",
    "Limits": "limits",
    "Model": "model",
    "Proposal": "proposal",
    "Record": "record",
    "TableGAN": "estimators",
    "apply": "api",
    "augment": "api",
    "check": "checks",
    "compare": "comparison",
    "evaluate": "api",
    "load": "model",
    "propose": "proposal",
    "report": "reporting",
    "sample": "api",
    "score": "api",
    "steps": "learning",
    "train": "api",
}
__all__ = [
    "Experiment",
    "Limits",
    "Model",
    "Proposal",
    "Record",
    "TableGAN",
    "apply",
    "augment",
    "check",
    "compare",
    "evaluate",
    "load",
    "propose",
    "report",
    "sample",
    "score",
    "steps",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sparring' has no attribute '{name}'")
    return getattr(importlib.import_module(f"sparring.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
