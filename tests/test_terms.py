import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sparring.errors import RequestError
from sparring.perceptual import WAYS, LearnedFeatures, feature_network
from sparring.terms import L1, L2, Charbonnier, Comparison, Contrast, FeatureMatching, Perceptual, Term
from sparring.types import DataSpec, Score


def pictures(seed=0, channels=3, size=16):
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_l1_is_the_mean_absolute_difference():
    made, target = pictures(0), pictures(1)
    assert L1(weight=3.0)(Comparison(made, target)).item() == pytest.approx(
        3 * np.abs(made.numpy() - target.numpy()).mean(), rel=1e-6
    )


def test_l1_counts_places_in_holes_more_often():
    made, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    made[:, :, 0, 0] = 1.0
    mask = torch.ones(1, 1, 4, 4)
    mask[:, :, 0, 0] = 0
    assert L1(hole=6.0)(Comparison(made, target, mask)).item() == pytest.approx(6 / (15 + 6))
    assert L1(hole=0.0)(Comparison(made, target, mask)).item() == 0


def test_l2_is_the_mean_square_of_which_psnr_is_made():
    made, target = pictures(0), pictures(1)
    expected = np.square(made.numpy() - target.numpy()).mean()
    assert L2(weight=2.0)(Comparison(made, target)).item() == pytest.approx(2 * expected, rel=1e-6)


def test_charbonnier_is_near_to_l1_far_away_and_flat_at_zero():
    made, target = pictures(0).requires_grad_(), pictures(1)
    far = Charbonnier(epsilon=1e-6)(Comparison(made, target))
    assert far.item() == pytest.approx(L1()(Comparison(made, target)).item(), rel=1e-4)
    same = Charbonnier(epsilon=1e-2)(Comparison(made, made.detach()))
    (gradient,) = torch.autograd.grad(same, made)
    assert same.item() == pytest.approx(1e-2, rel=1e-5)
    assert gradient.abs().max() == 0


def test_contrast_is_the_cross_entropy_of_telling_the_own_target_by_its_squared_difference():
    made, targets = pictures(0), pictures(1)
    away = np.array([[np.square(m - t).mean() for t in targets.numpy()] for m in made.numpy()])
    chances = np.exp(-away / 0.3)
    expected = -np.log(np.diag(chances) / chances.sum(1)).mean()
    assert Contrast(weight=2.0, temperature=0.3)(Comparison(made, targets)).item() == pytest.approx(2 * expected)
    assert Contrast()(Comparison(made[:1], targets[:1])).item() == 0


def test_contrast_tells_a_blend_to_which_of_two_targets_it_is_to_go():
    targets = pictures(1)
    made = targets.mean(0, keepdim=True).repeat(2, 1, 1, 1).requires_grad_()
    (step,) = torch.autograd.grad(Contrast(temperature=10.0)(Comparison(made, targets)), made)
    torch.testing.assert_close(-step[0] / step[0].norm(), (targets[0] - targets[1]) / (targets[0] - targets[1]).norm())


def test_feature_matching_is_the_mean_over_layers_then_over_scales():
    def scores(*layers):
        return [Score(torch.zeros(2, 3, 3), tuple(torch.full((2, 1, 2, 2), value) for value in layers))]

    made, true = [*scores(1.0, 3.0), *scores(5.0)], [*scores(0.0, 0.0), *scores(0.0)]
    seen = Comparison(pictures(), pictures(), made_scores=made, target_scores=true)
    assert FeatureMatching(weight=2.0)(seen).item() == pytest.approx(2 * (2 + 5) / 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_perceptual_term_is_zero_for_equal_pictures_and_grows_with_blur(channels):
    term = Perceptual(network="random")
    network = term.memory(DataSpec((channels, 32, 32)))
    sharp = pictures(0, channels, 32)
    soft = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(sharp, (1, 1, 1, 1), mode="replicate"), 3, 1)
    nearly = 0.9 * sharp + 0.1 * soft
    distances = [term(Comparison(made, sharp, features=network)).item() for made in (sharp, nearly, soft)]
    assert distances[0] == pytest.approx(0, abs=1e-9)
    assert 0 < distances[1] < distances[2]


@pytest.mark.parametrize("term", [Perceptual(), Perceptual(network="random")], ids=lambda term: term.network)
def test_the_perceptual_term_reaches_the_generator(term):
    network = term.memory(DataSpec((3, 32, 32)))
    made = pictures(0, 3, 32).requires_grad_()
    term(Comparison(made, pictures(1, 3, 32), features=network)).backward()
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
    assert bool(list(network.parameters())) == (term.lesson() is not None)


def vgg(path, *, kernel=3):
    numbers, widths = [0, 2, 5], [3, 4, 4, 8]  # a pooling stands at 4
    held = {}
    for number, before, after in zip(numbers, widths, widths[1:], strict=False):
        held[f"features.{number}.weight"] = torch.randn(after, before, kernel, kernel)
        held[f"features.{number}.bias"] = torch.randn(after)
    save_file(held, path)
    return held


def test_a_vgg_by_path_computes_what_its_layers_compute(tmp_path):
    held = vgg(tmp_path / "vgg.safetensors")
    network = feature_network(3, str(tmp_path / "vgg.safetensors"))
    mean, spread = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    maps = ((pictures() + 1) / 2 - mean) / spread
    for number in (0, 2):
        maps = torch.nn.functional.conv2d(
            maps, held[f"features.{number}.weight"], held[f"features.{number}.bias"], padding=1
        ).relu()
    found = network(pictures())
    assert len(found) == 2
    torch.testing.assert_close(found[0], maps / maps.norm(dim=1, keepdim=True).clamp(min=1e-8))
    assert found[1].shape == (2, 8, 8, 8)


def test_a_file_that_is_no_vgg_is_refused_by_its_path(tmp_path):
    for name, make in (("a", lambda p: vgg(p, kernel=5)), ("b", lambda p: p.write_bytes(b"no"))):
        path = tmp_path / name
        make(path)
        with pytest.raises(RequestError, match=str(path)):
            feature_network(3, str(path))


@pytest.mark.parametrize("name", sorted(Term.parts()))
def test_a_term_scales_with_its_weight(name):
    part = Term.find(name)
    scores = [Score(torch.zeros(2, 3, 3), (pictures(3),))]
    others = [Score(torch.zeros(2, 3, 3), (pictures(4),))]
    features = part().memory(DataSpec((3, 16, 16)))
    seen = Comparison(pictures(0), pictures(1), None, scores, others, features)
    assert part(weight=3.0)(seen).item() == pytest.approx(3 * part(weight=1.0)(seen).item(), rel=1e-5)
    assert part(weight=1.0)(seen).item() > 0


def test_the_small_network_learns_how_pictures_were_spoiled_and_sees_it():
    torch.manual_seed(0)
    network, source = LearnedFeatures(1), torch.Generator().manual_seed(1)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    real = torch.rand(32, 1, 6, 6, generator=source).repeat_interleave(3, 2).repeat_interleave(3, 3) * 2 - 1
    losses = []
    for _ in range(120):
        draws, noise = torch.rand(32, generator=source), torch.randn(real.shape, generator=source)
        losses.append(network.lesson(real, draws, noise))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    chance = np.log(WAYS)
    assert losses[0].item() > 0.8 * chance
    assert np.mean([loss.item() for loss in losses[-10:]]) < 0.6 * chance


def test_a_given_vgg_or_random_filters_do_not_learn(tmp_path):
    assert Perceptual().lesson() is not None
    assert Perceptual(network="random").lesson() is None
    assert Perceptual(weights=str(tmp_path / "vgg.safetensors")).lesson() is None
