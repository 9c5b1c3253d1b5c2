"""The orthogonal optimiser against torch's own, against a decomposition, and on kernels."""

import copy

import pytest
import torch
from torch import nn

from sparring.optimisers import Adam, Muon, orthogonal


def stepped(weight, build, steps=5):
    """The weight after some steps by gradients that are drawn, the same for every optimiser."""
    weight = nn.Parameter(weight.clone(memory_format=torch.preserve_format))
    optimiser = build([weight])
    source = torch.Generator().manual_seed(3)
    for _ in range(steps):
        drawn = torch.randn(weight.shape, generator=source)
        weight.grad = drawn.contiguous(memory_format=torch.channels_last) if weight.dim() == 4 else drawn
        optimiser.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (16, 16), (1, 8)])
def test_matrices_move_as_by_torchs_own(shape):
    start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    ours = stepped(start, Muon(rate=0.02, momentum=0.9, decay=0.1).build) - start
    theirs = stepped(
        start,
        lambda weights: torch.optim.Muon(
            weights, lr=0.02, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
        ),
    )
    # Torch's own computes its iteration in bfloat16.
    torch.testing.assert_close(ours, theirs - start, rtol=0, atol=0.02 * float(ours.abs().max()))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_vectors_move_as_by_adam(decay):
    start = torch.randn(30, generator=torch.Generator().manual_seed(0))
    asked = {"rate": 0.02, "beta1": 0.8, "beta2": 0.95, "decay": decay}
    torch.testing.assert_close(stepped(start, Muon(**asked).build), stepped(start, Adam(**asked).build))


def test_kernels_move_as_matrices_of_output_channels():
    start = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    kernel = stepped(start.contiguous(memory_format=torch.channels_last), Muon(rate=0.02).build)
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(kernel.flatten(1), stepped(start.flatten(1), Muon(rate=0.02).build))


def test_weights_of_one_shape_move_as_each_alone():
    layers = nn.ModuleList(nn.Linear(9, 5) for _ in range(3))
    alone = copy.deepcopy(layers)
    for layer, single in zip(layers, alone, strict=True):
        for weight, other in zip(layer.parameters(), single.parameters(), strict=True):
            weight.grad = torch.randn_like(weight)
            other.grad = weight.grad.clone()
    Muon(rate=0.1).build(list(layers.parameters())).step()
    for layer, single in zip(layers, alone, strict=True):
        Muon(rate=0.1).build(list(single.parameters())).step()
        torch.testing.assert_close(layer.weight, single.weight)


def test_a_weight_without_gradient_stays():
    weights = [nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.ones(3, 3))]
    weights[0].grad = torch.eye(3)
    Muon(rate=0.1, decay=0.1).build(weights).step()
    assert torch.equal(weights[1], torch.ones(3, 3))
    assert not torch.equal(weights[0], torch.ones(3, 3))


@pytest.mark.parametrize("shape", [(8, 60), (60, 8), (20, 20)])
def test_orthogonal_keeps_directions_and_evens_lengths(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1)) * torch.tensor([1e-4, 1, 1e4]).view(
        3, 1, 1
    )
    left, lengths, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ orthogonal(matrices) @ right.mT
    even = inner.diagonal(dim1=1, dim2=2)
    well = lengths > 0.02 * lengths.amax(1, keepdim=True)
    assert even[well].min() > 0.65
    assert even[well].max() < 1.25
    assert (inner - torch.diag_embed(even)).abs().max() < 1e-3


def test_orthogonal_of_nothing_is_nothing():
    assert not orthogonal(torch.zeros(2, 4, 5)).any()


def test_steps_are_as_long_as_adams():
    start = torch.zeros(64, 576)
    by_muon, by_adam = (
        stepped(start, part(rate=1e-3, beta1=0.9, beta2=0.999).build, 1).square().mean().sqrt() for part in (Muon, Adam)
    )
    assert 0.1 < float(by_muon / by_adam) < 0.5


def moved(optimiser, gradients):
    """A weight after steps with these gradients, and how far the last one moved it."""
    weight = torch.nn.Parameter(torch.zeros(4))
    built = optimiser.build([weight])
    for gradient in gradients:
        before = weight.detach().clone()
        weight.grad = torch.as_tensor(gradient, dtype=torch.float32)
        built.step()
    return weight.detach(), (weight - before).detach().norm().item()


USUAL = [[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]] * 40


@pytest.mark.parametrize("kind", [Adam, Muon])
def test_a_gradient_that_is_much_longer_than_before_is_shortened(kind):
    settings = {"rate": 0.01, "beta1": 0.0, "beta2": 0.99}
    sudden = [[1000.0, -500.0, 0.0, 0.0]]
    _, usual = moved(kind(**settings), USUAL)
    _, free = moved(kind(**settings), USUAL + sudden)
    _, held = moved(kind(**settings, limit=3.0), USUAL + sudden)
    assert usual == pytest.approx(0.02, rel=0.01)
    assert free > 5 * usual
    # Of length 3 times 2, in the direction that it had: mean squares are those of that gradient.
    shortened = torch.tensor(sudden[0]) / torch.tensor(sudden[0]).norm() * 6
    _, expected = moved(kind(**settings), [*USUAL, shortened.tolist()])
    assert held == pytest.approx(expected, rel=1e-4)
    assert held < 3 * usual


def test_gradients_within_the_limit_are_left_as_they_are():
    draws = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    plain, limited = (moved(Adam(rate=0.01, limit=limit), draws.tolist())[0] for limit in (None, 100.0))
    assert torch.equal(plain, limited)


def test_a_weight_that_had_no_gradient_begins_to_learn_at_once():
    gradients = [[0.0] * 4] * 30 + [[1.0, -2.0, 0.5, 3.0]] * 3
    plain, limited = (moved(Adam(rate=0.01, limit=limit), gradients)[0] for limit in (None, 3.0))
    assert plain.abs().min() > 0.01
    assert (limited.abs() > plain.abs() / 2).all()
