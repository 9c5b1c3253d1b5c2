"""Recipes: functions from facts about the data to a task and its training.

What a recipe resolved to is stored in the run: a recipe may change, a run does not. A recipe is a public function of
this module, called by its name with hyphens.
"""

import inspect
import sys
from collections.abc import Callable

from sparring.agreement import ConditionMatch, MomentMatch
from sparring.errors import RequestError, choices
from sparring.facts import Facts
from sparring.games import Game
from sparring.games.latent import Latent
from sparring.games.paired import Paired
from sparring.games.timegan import Timegan
from sparring.games.tvae import Tvae
from sparring.games.vae import Vae
from sparring.losses import Hinge, NonSaturating, RelativisticPairing, Wasserstein
from sparring.modalities import Modality
from sparring.networks import Architecture
from sparring.networks.autoencoder import Autoencoder
from sparring.networks.dcgan import Dcgan
from sparring.networks.dense import Dense
from sparring.networks.dense_conv import DenseConv
from sparring.networks.encoder_decoder import EncoderDecoder
from sparring.networks.judges import Patch
from sparring.networks.mlp import Mlp
from sparring.networks.pyramid import Pyramid
from sparring.networks.r3gan import R3gan
from sparring.networks.resnet import Resnet
from sparring.networks.tabular import Tabular
from sparring.networks.temporal_conv import TemporalConv
from sparring.optimisers import Adam, Muon
from sparring.penalties import R1, R2, GradientPenalty, Mismatch
from sparring.tasks import Task
from sparring.tasks.generation import Generation
from sparring.tasks.picture import PictureTask
from sparring.tasks.translation import Translation
from sparring.terms import L2, Contrast
from sparring.training import Training
from sparring.views import AdaptiveAugment, Pack, View
from sparring.watch import EVERY, Collapsed, Won

ROWS_WATCHED = tuple(part.but(separation=2.5) if isinstance(part, Won) else part for part in EVERY)
"""Detectors for tables, whose critic spreads the scores of rows wider: noise that it judges stays 3 deviations away."""

AUGMENT_BELOW = 20_000
"""Pictures below which the discriminator learns them by heart within a default run."""

_JUDGING = Adam(rate=4e-4, beta1=0.5, beta2=0.99)
"""Of the discriminator of pairs; it joins late, when a rate that fell from the beginning would be gone."""


Recipe = Callable[[Facts], tuple[Task, Training]]


def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    module = sys.modules[__name__]
    functions = inspect.getmembers(module, lambda f: inspect.isfunction(f) and f.__module__ == __name__)
    return {n.replace("_", "-"): f for n, f in functions if not n.startswith("_") and list(_parameters(f)) == ["facts"]}


def _parameters(function: Callable[..., object]) -> list[str]:
    return list(inspect.signature(function).parameters)


def find(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        RequestError: there is none.
    """
    there = recipes()
    if name not in there:
        raise RequestError(choices(name, "recipe", list(there)))
    return there[name]


def default(facts: Facts) -> tuple[Task, Training]:
    """The recipe that the kind of data names, pyramid for pictures and table for tables; or the task's."""
    kind = Task.find(facts.task)
    if issubclass(kind, PictureTask):
        if not kind.paired:
            return unpaired(facts)
        return restoration(facts) if facts.registered else redrawing(facts)
    return find(Modality.find(facts.modality).recipe)(facts)


def restoration(facts: Facts) -> tuple[Task, Training]:
    """Pictures from pictures, by the task's own networks: pixels first, then the discriminator joins."""
    batch, optimiser = 16, Muon(rate=1e-3, rate_final=1e-6, beta1=0.9, beta2=0.999)
    if facts.task == Translation.name:
        # Its wide layers are made orthogonal more slowly than they learn, and pairs are few.
        batch, optimiser = 4, Adam(rate=1e-3, rate_final=1e-5, beta1=0.9, beta2=0.99)
    shared = {"per_player": {"discriminator": _JUDGING}, "average": 0.005, "images": 300_000}
    return _picture_task(facts, "restoration", paired=True), Training(batch=batch, optimiser=optimiser, **shared)


def redrawing(facts: Facts) -> tuple[Task, Training]:
    """Pictures from pictures that they do not lie on: each is taken in as a whole, and its counterpart drawn anew."""
    game = Paired(network=EncoderDecoder(judge=Patch(width=16)), terms=(L2(), Contrast()), warm=0.8)
    return _picture_task(facts, "redrawing", paired=True, game=game), Training(
        batch=128,
        optimiser=Adam(rate=1.5e-3, rate_hold=0.5, rate_final=1e-5, beta1=0.9, beta2=0.99),
        per_player={"discriminator": _JUDGING},
        average=0.005,
        images=1_000_000,
    )


def unpaired(facts: Facts) -> tuple[Task, Training]:
    """One set of pictures from another without pairs, by the task's own game: generators and judges at one rate."""
    return _picture_task(facts, "unpaired", paired=False), Training(
        batch=8,
        optimiser=Adam(rate=5e-4, rate_hold=0.5, rate_final=1e-5, beta1=0.5, beta2=0.99),
        average=0.01,
        images=100_000,
    )


def _picture_task(facts: Facts, recipe: str, *, paired: bool, game: Game | None = None) -> PictureTask:
    kind = Task.find(facts.task)
    if not issubclass(kind, PictureTask) or kind.paired != paired:
        wanted = "tasks from pictures to pictures" if paired else "two sets without pairs"
        raise RequestError(f"the recipe '{recipe}' is for {wanted}, not for '{facts.task}'")
    _needs_pictures(facts, recipe)
    task = kind.from_json({"part": kind.name})
    game = game or task.game
    if "penalties" in type(game).model_fields and getattr(game, "adversary", 1):
        # A verdict is the mean over patches of 8x8 pixels, and its gradient so many times smaller than that of one.
        game = game.but(penalties=(R1(gamma=kind.gamma * max(1.0, facts.shape[1] * facts.shape[2] / 8**2)),))
    return task.but(game=game)


def pyramid(facts: Facts) -> tuple[Generation, Training]:
    """Plain convolutions in a pyramid, relativistic pairing with R1 and R2: the default for pictures."""
    _needs_pictures(facts, "pyramid")
    gamma = 0.3 * max(1.0, facts.shape[1] * facts.shape[2] / 28**2)
    game = Latent(
        network=Pyramid(),
        loss=RelativisticPairing(),
        # A stronger mismatch makes what is asked for purer than the data are.
        penalties=(R1(gamma=gamma), R2(gamma=gamma), *([Mismatch(weight=0.2)] if facts.attributes else [])),
        views=_views(facts),
        latent=64,
    )
    # A rate that falls costs half of what a short run can learn; the average of the weights calms them as well.
    optimiser = Adam(rate=2e-3, beta1=0.0, beta2=0.99, limit=3.0)
    return Generation(game=game, attributes=facts.attributes), Training(batch=64, optimiser=optimiser)


def mlp(facts: Facts) -> tuple[Generation, Training]:
    """Perceptrons with a discrete latent, relativistic pairing with R1 and R2: the default for points.

    The codes let the generator jump from clump to clump, and are longer than the continuous latent, so that what one
    code makes is small from the start and spans no two clumps. The octaves let the discriminator see how tight a clump
    is; lower ones are higher, as a generator that follows the steepest waves is lost among their crests. Weights are
    averaged over few images, because an average of moving clumps is tighter than each.
    """
    penalties = (R1(gamma=0.1, gamma_final=0.01, every=2), R2(gamma=0.1, gamma_final=0.01, every=2))
    network, loss = Mlp(octaves=7, falloff=0.5), RelativisticPairing()
    game = Latent(network=network, loss=loss, penalties=penalties, latent=16, codes=1024, code_weight=4.0)
    # The second moment is long, as a lazy penalty makes every other gradient larger and clumps would be as uneven.
    optimiser = Adam(rate=1e-3, rate_final=1e-5, beta1=0.0, beta2=0.999)
    training = Training(batch=256, optimiser=optimiser, average=0.005, images=900_000, precision="fp32")
    return Generation(game=game, attributes=facts.attributes), training


def table(facts: Facts) -> tuple[Generation, Training]:
    """The default for tables: ctgan that matches the mean products of all pairs of numbers too, averaged.

    Networks run in half precision where that is faster here. The penalty is taken every step: with one every fourth, a
    category of 1 % was made less often (0.3 and 0.5 % against 0.6 and 0.7 % after 600 steps, two seeds).
    """
    _needs_rows(facts, "table")
    game = Latent(
        network=Tabular(dropout=0.25, temperature=0.5),
        loss=Wasserstein(),
        penalties=(GradientPenalty(),),
        views=(Pack(count=2),),
        agreements=(ConditionMatch(), MomentMatch()),
        latent=64 + facts.choices,
    )
    optimiser = Adam(rate=5e-4, rate_final=2e-5, beta1=0.5, beta2=0.9)
    training = Training(batch=500, optimiser=optimiser, average=0.02, images=_rows(facts, 150), watch=ROWS_WATCHED)
    return Generation(game=game, attributes=facts.attributes), training


def private(facts: Facts) -> tuple[Generation, Training]:
    """The default for private tables: no norm over a batch, no condition, no penalty."""
    _needs_rows(facts, "private")
    game = Latent(
        network=Tabular(width=128, norm="layer", dropout=0.0, temperature=0.5),
        loss=NonSaturating(),
        latent=64 + facts.choices,
    )
    optimiser = Adam(rate=1e-3, rate_final=1e-4, beta1=0.5, beta2=0.9)
    training = Training(
        batch=500,
        optimiser=optimiser,
        average=0.05,
        images=_rows(facts, 150),
        precision="fp32",
        best="none",
        watch=(),
    )
    return Generation(game=game), training


def ctgan(facts: Facts) -> tuple[Generation, Training]:
    """CTGAN, Xu et al. 2019, at its authors' settings; the gradient penalty is that of a row, not of a pack."""
    _needs_rows(facts, "ctgan")
    game = Latent(
        network=Tabular(),
        loss=Wasserstein(),
        penalties=(GradientPenalty(),),
        views=(Pack(count=10),),
        agreements=(ConditionMatch(),),
        latent=128 + facts.choices,
    )
    optimiser = Adam(rate=2e-4, beta1=0.5, beta2=0.9)
    training = Training(
        batch=500, optimiser=optimiser, average=0.0, images=_rows(facts, 300), precision="fp32", watch=ROWS_WATCHED
    )
    return Generation(game=game, attributes=facts.attributes, together=0.0), training


def tvae(facts: Facts) -> tuple[Generation, Training]:
    """TVAE, Xu et al. 2019, at its authors' settings: no discriminator, no conditions, the reference for tables."""
    _needs_rows(facts, "tvae")
    game = Tvae(latent=128 + 2 * facts.choices)
    optimiser = Adam(rate=1e-3, beta1=0.9, beta2=0.999, decay=1e-5)
    training = Training(batch=500, optimiser=optimiser, average=0.0, images=_rows(facts, 300), precision="fp32")
    return Generation(game=game), training


def series(facts: Facts) -> tuple[Generation, Training]:
    """Convolutions along time, relativistic pairing with R1 and R2: the default for series."""
    _needs_series(facts, "series")
    game = Latent(
        network=TemporalConv(),
        loss=RelativisticPairing(),
        penalties=(R1(gamma=1.0, gamma_final=0.1, every=4), R2(gamma=1.0, gamma_final=0.1, every=4)),
        latent=64,
    )
    optimiser = Adam(rate=1e-3, rate_final=3e-5, beta1=0.0, beta2=0.99)
    training = Training(batch=64, optimiser=optimiser, images=500_000, precision="fp32")
    return Generation(game=game, attributes=facts.attributes), training


def timegan(facts: Facts) -> tuple[Generation, Training]:
    """TimeGAN, Yoon et al. 2019, at its authors' sizes: phases of 10,000, 10,000 and (theirs half) 20,000 steps."""
    _needs_series(facts, "timegan")
    game = Timegan(steps=facts.shape[1], noise=facts.shape[0], width=max(24, 4 * facts.shape[0]))
    optimiser = Adam(rate=1e-3, beta1=0.9, beta2=0.999)
    # Its generator is not taught before the joint phase, and so never varied until then.
    watch = tuple(detector for detector in EVERY if not isinstance(detector, Collapsed))
    training = Training(
        batch=128, optimiser=optimiser, average=0.005, images=4 * 10_000 * 128, precision="fp32", watch=watch
    )
    return Generation(game=game), training


def _needs_series(facts: Facts, recipe: str) -> None:
    if len(facts.shape) != 2:
        raise RequestError(f"the recipe '{recipe}' learns series, and these are {facts.modality}; take default")


def _rows(facts: Facts, epochs: int) -> int:
    """Rows seen in so many epochs."""
    return max(500, facts.count * epochs)


def _needs_rows(facts: Facts, recipe: str) -> None:
    if not facts.choices:
        raise RequestError(f"the recipe '{recipe}' learns tables, and these are {facts.modality}; take default")


def r3gan(facts: Facts) -> tuple[Generation, Training]:
    """R3GAN, Huang et al. 2024, at a width for CPUs, with its schedules."""
    _needs_pictures(facts, "r3gan")
    gamma = 0.05 * max(1.0, facts.shape[1] * facts.shape[2] / 32**2)
    penalties = (R1(gamma=gamma, gamma_final=gamma / 10, every=4), R2(gamma=gamma, gamma_final=gamma / 10, every=4))
    game = Latent(network=R3gan(), loss=RelativisticPairing(), penalties=penalties, views=_views(facts), latent=64)
    optimiser = Adam(rate=2e-4, rate_final=5e-5, beta1=0.0, beta2=0.9, beta2_final=0.99)
    return Generation(game=game, attributes=facts.attributes), Training(batch=64, optimiser=optimiser)


def resnet(facts: Facts) -> tuple[Generation, Training]:
    """Residual networks with spectral norm and the hinge loss, after SNGAN (Miyato et al. 2018)."""
    _needs_pictures(facts, "resnet")
    game = Latent(network=Resnet(), loss=Hinge(), views=_views(facts), latent=128)
    optimiser = Adam(rate=2e-4, beta1=0.0, beta2=0.9)
    return Generation(game=game, attributes=facts.attributes), Training(batch=64, optimiser=optimiser)


def dcgan(facts: Facts) -> tuple[Generation, Training]:
    """The tutorials' convolutional game: transposed convolutions against convolutions with dropout."""
    _needs_pictures(facts, "dcgan")
    return _tutorial(facts, Dcgan(), Adam(rate=2e-4, beta1=0.5, beta2=0.999), batch=256)


def dense(facts: Facts) -> tuple[Generation, Training]:
    """The tutorials' first game: one hidden layer on each side, uniform noise."""
    return _tutorial(facts, Dense(), Adam(rate=2e-4, beta1=0.5, beta2=0.999), noise="uniform")


def dense_conv(facts: Facts) -> tuple[Generation, Training]:
    """The tutorials' dense generator with batch norm against a convolutional discriminator with dropout."""
    _needs_pictures(facts, "dense-conv")
    return _tutorial(facts, DenseConv(), Adam(rate=2e-4, beta1=0.5, beta2=0.999))


def autoencoder(facts: Facts) -> tuple[Generation, Training]:
    """The tutorials' autoencoding generator: noise, encoder, low-dimensional code, decoder."""
    return _tutorial(facts, Autoencoder(), Adam(rate=2e-4, beta1=0.5, beta2=0.999))


def vae(facts: Facts) -> tuple[Generation, Training]:
    """A variational autoencoder whose decoder is the default recipe's generator: the reference for any GAN."""
    optimiser = Adam(rate=1e-3, rate_final=1e-5, beta1=0.9, beta2=0.999)
    if len(facts.shape) > 1:
        network = Pyramid() if len(facts.shape) == 3 else TemporalConv()
        game, training = Vae(network=network, latent=64), Training(batch=32, optimiser=optimiser)
    else:
        game = Vae(network=Mlp(), latent=16)
        training = Training(batch=256, optimiser=optimiser, average=0.002, images=900_000, precision="fp32")
    return Generation(game=game, attributes=facts.attributes), training


def _tutorial(
    facts: Facts, network: Architecture, optimiser: Adam, *, noise: str = "normal", batch: int = 128
) -> tuple[Generation, Training]:
    game = Latent(network=network, loss=NonSaturating(), latent=100, noise=noise)  # pyright: ignore[reportArgumentType]
    return Generation(game=game, attributes=facts.attributes), Training(batch=batch, optimiser=optimiser)


def _views(facts: Facts) -> tuple[View, ...]:
    """Adaptive augmentation where the pictures are few."""
    return (AdaptiveAugment(),) if facts.count < AUGMENT_BELOW else ()


def _needs_pictures(facts: Facts, recipe: str) -> None:
    if len(facts.shape) != 3:
        raise RequestError(
            f"the recipe '{recipe}' learns pictures, and these are {facts.modality}; take default or mlp"
        )
