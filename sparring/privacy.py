"""Privacy: what a private run promises, what it has spent, and the secret that its noise is drawn from.

(epsilon, delta)-differential privacy of Dwork et al. 2006, for adding or removing one row. The budget is divided: a
share of epsilon and of delta pays for what the codec learns (basic composition), the rest for DP-SGD (Abadi et al.
2016), which the accountants of opacus keep.
"""

import secrets
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from sparring.errors import MissingExtra, RequestError, RunError
from sparring.files import write_atomic
from sparring.part import Part
from sparring.randomness import hidden

CODEC_DELTA = 0.1
"""Share of delta that the codec's thresholds may use."""
_KEY = "private.key"


class Privacy(Part):
    """What is promised about any single row of the data, and how its contribution is bounded."""

    kind: ClassVar[str] = "privacy"

    epsilon: float = Field(default=3.0, gt=0, description="what one row may change: a factor of e^epsilon in any odds")
    delta: float = Field(default=1e-5, gt=0, lt=1, description="chance beside that factor; below 1 / rows")
    clip: float = Field(default=1.0, gt=0, description="largest norm of one row's gradient")
    codec: float = Field(default=0.1, gt=0, lt=1, description="share of epsilon for what the codec learns")
    accountant: Literal["rdp", "prv"] = Field(default="rdp", description="of opacus; prv is tighter and slower")
    at_once: int = Field(default=128, ge=1, description="rows whose gradients are held in memory at once")
    domains: dict[str, str] = Field(
        default={}, description="what columns can hold, known without the data: 17..90, or male|female"
    )


class Account(Part):
    """How a run's private updates are made, settled when its plan is made."""

    kind: ClassVar[str] = "account"

    noise: float = Field(gt=0, description="standard deviation of the noise, in clipping norms")
    rate: float = Field(gt=0, le=1, description="chance of each row to be in a batch")
    updates: int = Field(ge=1, description="private updates that are paid for")
    per_step: int = Field(default=1, ge=1, description="private updates of a step")

    def spent(self, privacy: Privacy, steps: int) -> float:
        """Epsilon after so many steps, codec included, at the delta that was asked for."""
        return privacy.epsilon * privacy.codec + _epsilon(self, privacy, min(steps * self.per_step, self.updates))


def account(privacy: Privacy, *, rows: int, batch: int, steps: int, per_step: int) -> Account:
    """The least noise with which so many steps stay within the budget.

    Args:
        privacy: the budget.
        rows: that are learned from, counted with noise.
        batch: rows that an update expects.
        steps: of the whole run.
        per_step: private updates of a step.

    Raises:
        RequestError: delta is too large to promise anything, or no noise is enough.
    """
    if privacy.delta * rows >= 1:
        raise RequestError(
            f"delta = {privacy.delta:g} allows a row of about {rows:,} to be published as it is; give less than "
            f"{1 / rows:.1g}"
        )
    utils, rate = opacus().accountants.utils, min(1.0, batch / rows)
    target = privacy.epsilon * (1 - privacy.codec)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that other orders of the moments might be tighter
            noise = utils.get_noise_multiplier(
                target_epsilon=target,
                target_delta=privacy.delta * (1 - CODEC_DELTA),
                sample_rate=rate,
                steps=steps * per_step,
                accountant=privacy.accountant,
                epsilon_tolerance=min(0.01, target / 100),
            )
    except ValueError:
        raise RequestError(
            f"epsilon = {privacy.epsilon:g} cannot be kept over {steps * per_step:,} updates by the "
            f"accountant {privacy.accountant}; give more, fewer steps or training.privacy.accountant=prv"
        ) from None
    return Account(noise=noise, rate=rate, updates=steps * per_step, per_step=per_step)


@lru_cache(maxsize=16)
def _spent(mechanism: str, noise: float, rate: float, updates: int, delta: float) -> float:
    accountant = opacus().accountants.create_accountant(mechanism=mechanism)
    accountant.history = [(noise, rate, updates)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(accountant.get_epsilon(delta=delta))


def _epsilon(held: Account, privacy: Privacy, updates: int) -> float:
    """What so many updates have spent."""
    delta = privacy.delta * (1 - CODEC_DELTA)
    return _spent(privacy.accountant, held.noise, held.rate, updates, delta) if updates else 0.0


def opacus() -> Any:
    """The package, with its accountants and hooks.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports itself
            import opacus as package
            import opacus.accountants.utils
            import opacus.grad_sample
    except ImportError:
        raise MissingExtra("opacus", "privacy") from None
    return package


def secret(folder: Path | None) -> int:
    """The number that all noise of a private run is drawn from, kept beside its data; drawn by the system once.

    Who knows it can take the noise away again: it is no seed, and belongs to what is not given away.

    Args:
        folder: of the run's data; None: drawn and not kept.

    Raises:
        RunError: the file is damaged.
    """
    if folder is None:
        return secrets.randbits(128)
    path = Path(folder) / _KEY
    if path.is_file():
        try:
            return int(path.read_text("ascii"), 16)
        except (OSError, ValueError):
            raise RunError(
                f"{path} is damaged, and the private run cannot go on; begin anew with --overwrite"
            ) from None
    drawn = secrets.randbits(128)
    keep_secret(folder, drawn)
    return drawn


def keep_secret(folder: Path, key: int) -> None:
    """Puts a secret where :func:`secret` finds it."""
    with write_atomic(Path(folder) / _KEY) as aside:
        aside.write_text(f"{key:032x}", "ascii")
        aside.chmod(0o600)


def is_kept(folder: Path, key: int) -> bool:
    """Whether a secret is the one that :func:`secret` finds."""
    path = Path(folder) / _KEY
    return path.is_file() and path.read_bytes() == f"{key:032x}".encode("ascii")


def secret_seed(key: int, seed: int) -> int:
    """The seed of everything random in a private run, as long as the secret."""
    return hidden(key, "private", seed)
