import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.randomness import Noise, derive, order, per_sample, seed_torch, seeds, stream

PINNED_SEED = 2002067703672271585
PINNED_SEEDS = [747916637251977840, 5117743624095915718]
PINNED_NORMAL = [-0.40434688, 0.05142775, -1.45706213]

any_seed = st.integers(0, 2**63)


def noise(rows=slice(0, 64), total=64, key=(0, 5, "discriminator"), **settings):
    return Noise(key, rows, total, **settings)


def test_a_seed_is_the_same_on_every_machine_and_in_every_version():
    assert derive(0, "order", 1) == PINNED_SEED


@given(seed=any_seed, name=st.text(max_size=5), step=st.integers(0, 10**6))
def test_a_seed_has_63_bits_and_depends_on_every_part_of_the_position(seed, name, step):
    there = derive(seed, name, step)
    assert 0 <= there < 2**63
    assert there not in {derive(seed + 1, name, step), derive(seed, name + "x", step), derive(seed, name, step + 1)}
    assert there not in {derive(seed, name), derive(name, seed, step), derive(seed, name, str(step))}


@pytest.mark.parametrize("integer", [np.int64, np.uint8, np.int32, torch.tensor])
def test_integers_of_every_type_mean_the_same_position(integer):
    assert derive(integer(7), "x", integer(3)) == derive(7, "x", 3)


@pytest.mark.parametrize("wrong", [1.5, None, (1, 2)])
def test_what_is_neither_integer_nor_word_is_no_position(wrong):
    with pytest.raises(TypeError):
        derive(0, wrong)


def test_a_stream_starts_anew_each_time():
    first, second = (torch.rand(5, generator=stream(3, "x")) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(5, generator=stream(3, "y")))


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@given(start=st.integers(0, 64), length=st.integers(0, 64))
def test_the_draws_of_some_rows_are_those_rows_of_all_draws(kind, start, length):
    rows = slice(start, min(start + length, 64))
    whole, part = getattr(noise(), kind)("z", 3, 2), getattr(noise(rows), kind)("z", 3, 2)
    assert torch.equal(part, whole[rows])
    assert torch.equal(getattr(noise(slice(None)), kind)("z", 3, 2), whole)


def test_draws_do_not_depend_on_what_was_drawn_before():
    one, other = noise(), noise()
    one.normal("first", 7)
    one.uniform("second", 3)
    assert torch.equal(one.normal("z", 4), other.normal("z", 4))


def test_draws_differ_by_name_step_turn_and_seed():
    first = (0, 5, "discriminator")
    places = [
        (first, "z"),
        (first, "y"),
        ((0, 6, "discriminator"), "z"),
        ((0, 5, "generator"), "z"),
        ((1, *first[1:]), "z"),
    ]
    draws = [noise(key=key).normal(name, 4) for key, name in places]
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])


def test_draws_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    noise().normal("z", 4)
    per_sample("normal", 0, [1, 2], (3,))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_have_the_asked_precision(dtype):
    assert noise(dtype=dtype).normal("z").dtype == noise(dtype=dtype).uniform("z").dtype == dtype


def test_normal_draws_have_normal_moments_and_uniform_ones_uniform_bounds():
    normal = noise(slice(None), 20_000).normal("z", 5).double()
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert abs((normal**4).mean() - 3) < 0.15
    uniform = noise(slice(None), 20_000).uniform("z", 5).double()
    assert 0 <= uniform.min() <= uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    assert abs(uniform.var() - 1 / 12) < 0.002


def test_seeds_of_dropout_differ_by_the_rows_of_the_process():
    first, second = noise(slice(0, 32)), noise(slice(32, 64))
    assert first.seed("dropout") != second.seed("dropout")
    assert noise(slice(None)).seed("dropout") == first.seed("dropout")


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@given(seed=any_seed, numbers=st.lists(st.integers(0, 2**40), max_size=8))
def test_a_sample_depends_on_its_seed_and_number_alone(kind, seed, numbers):
    together = per_sample(kind, seed, numbers, (2, 3))
    assert together.shape == (len(numbers), 2, 3)
    assert together.dtype == torch.float32
    for row, number in zip(together, numbers, strict=True):
        assert torch.equal(row, per_sample(kind, seed, [number], (2, 3))[0])


@pytest.mark.parametrize("numbers", [np.arange(4), torch.arange(4), (0, 1, 2, 3)])
def test_sample_numbers_of_every_type_mean_the_same_samples(numbers):
    assert torch.equal(per_sample("normal", 0, range(4), (2,)), per_sample("normal", 0, list(numbers), (2,)))


def test_samples_are_those_of_other_versions():
    assert per_sample("normal", 0, [0], (3,))[0].tolist() == pytest.approx(PINNED_NORMAL, abs=1e-6)


def test_samples_have_normal_and_uniform_moments():
    normal = per_sample("normal", 0, range(2000), (20,)).double()
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    uniform = per_sample("uniform", 0, range(2000), (20,)).double()
    assert 0 <= uniform.min() <= uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01


@given(count=st.integers(1, 40), seed=any_seed, epoch=st.integers(0, 1000))
def test_each_pass_reads_every_item_once(count, seed, epoch):
    assert sorted(order(count, seed, epoch * count, count)) == list(range(count))


@given(
    count=st.integers(1, 20),
    seed=any_seed,
    position=st.integers(0, 10**6),
    parts=st.lists(st.integers(0, 50), max_size=6),
)
def test_any_split_of_the_reading_gives_the_same_order(count, seed, position, parts):
    whole = order(count, seed, position, sum(parts))
    assert whole.shape == (sum(parts),)
    assert whole.dtype == np.int64
    starts = [position + sum(parts[:i]) for i in range(len(parts))]
    pieces = [order(count, seed, start, length) for start, length in zip(starts, parts, strict=True)]
    assert np.array_equal(whole, np.concatenate([np.empty(0, np.int64), *pieces]))


def test_passes_and_seeds_read_in_different_orders():
    readings = [order(50, seed, start, 50).tolist() for seed, start in [(0, 0), (0, 50), (1, 0)]]
    assert readings[0] != readings[1] != readings[2] != readings[0]


def test_writing_into_an_order_does_not_change_the_next():
    first = order(10, 0, 0, 10)
    kept = first.copy()
    first[:] = -1
    assert np.array_equal(order(10, 0, 0, 10), kept)


def test_torchs_own_draws_follow_the_seed():
    with torch.random.fork_rng(devices=[]):
        seed_torch(7, torch.device("cpu"))
        first = torch.rand(3)
        seed_torch(7, torch.device("cpu"))
        assert torch.equal(torch.rand(3), first)
        torch.manual_seed(7)
        assert torch.equal(torch.rand(3), first)


def test_seeds_of_many_positions_are_pinned_unlike_and_those_of_their_parts():
    there = seeds(np.arange(1000), 3, "item")
    assert there[:2].tolist() == PINNED_SEEDS
    assert np.array_equal(seeds(np.array([999, 5]), 3, "item"), there[[999, 5]])
    assert len(np.unique(np.concatenate([there, seeds(np.arange(1000), 4, "item"), seeds(np.arange(1000), 3)]))) == 3000
    assert there.min() >= 0


def test_seeds_of_many_positions_look_random():
    bits = np.unpackbits(seeds(np.arange(4096), 0, "item").view(np.uint8).reshape(-1, 8), axis=1).astype(float)
    free = np.delete(bits, 56, axis=1)  # the highest bit of a 63-bit seed is never set
    assert abs(free.mean(0) - 0.5).max() < 4 * 0.5 / 64
    assert abs(np.corrcoef(free[:-1].ravel(), free[1:].ravel())[0, 1]) < 0.01
