import math
import sys

import pytest
from scipy.stats import norm

from sparring.errors import MissingExtra, RequestError, RunError
from sparring.privacy import CODEC_DELTA, Account, Privacy, account, is_kept, keep_secret, opacus, secret, secret_seed


def test_epsilon_is_that_of_the_accountant_of_opacus_step_by_step():
    privacy = Privacy(epsilon=3.0, delta=1e-5)
    held = account(privacy, rows=2000, batch=100, steps=60, per_step=2)
    other = opacus().accountants.RDPAccountant()
    for _ in range(60 * 2):
        other.step(noise_multiplier=held.noise, sample_rate=100 / 2000)
    wanted = other.get_epsilon(delta=1e-5 * (1 - CODEC_DELTA)) + 0.1 * 3.0
    assert held.spent(privacy, 60) == pytest.approx(wanted)
    assert 2.9 < held.spent(privacy, 60) <= 3.0
    assert held.spent(privacy, 0) == pytest.approx(0.3)
    assert held.spent(privacy, 10) < held.spent(privacy, 20) < held.spent(privacy, 60)


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
def test_epsilon_of_one_gaussian_release_lies_between_its_exact_value_and_the_closed_bound(accountant):
    noise, delta = 4.0, 1e-5
    privacy = Privacy(epsilon=3.0, delta=delta / (1 - CODEC_DELTA), accountant=accountant)
    found = Account(noise=noise, rate=1.0, updates=1).spent(privacy, 1) - 0.3

    def exact_delta(epsilon):  # Balle and Wang 2018, theorem 8
        half, wide = 1 / (2 * noise), epsilon * noise
        return norm.cdf(half - wide) - math.exp(epsilon) * norm.cdf(-half - wide)

    assert exact_delta(found) <= delta * 1.02, "it must not promise more than is true"
    assert found <= 1 / (2 * noise**2) + math.sqrt(2 * math.log(1 / delta)) / noise  # Mironov 2017, proposition 3


def test_less_epsilon_and_more_steps_need_more_noise():
    def noise(epsilon, steps):
        return account(Privacy(epsilon=epsilon), rows=5000, batch=100, steps=steps, per_step=1).noise

    assert noise(1, 100) > noise(3, 100) > noise(10, 100)
    assert noise(3, 400) > noise(3, 100)


def test_a_delta_that_allows_to_publish_a_row_is_refused():
    with pytest.raises(RequestError, match=r"delta = 0\.01 allows a row"):
        account(Privacy(delta=0.01), rows=1000, batch=10, steps=5, per_step=1)


def test_without_opacus_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus", None)
    with pytest.raises(MissingExtra, match=r"'opacus' is not installed; pip install 'sparring\[privacy\]' brings it"):
        opacus()


def test_a_secret_is_drawn_once_and_kept(tmp_path):
    key = secret(tmp_path)
    assert secret(tmp_path) == key
    assert is_kept(tmp_path, key)
    assert not is_kept(tmp_path, key ^ 1)
    keep_secret(tmp_path, 5)
    assert secret(tmp_path) == 5
    assert (tmp_path / "private.key").stat().st_mode & 0o077 == 0
    assert secret_seed(5, 0) != secret_seed(6, 0)
    assert max(secret_seed(5, seed) for seed in range(20)).bit_length() > 120
    assert secret(None) != secret(None)


def test_a_damaged_secret_is_refused(tmp_path):
    (tmp_path / "private.key").write_text("not hexadecimal")
    with pytest.raises(RunError, match="is damaged"):
        secret(tmp_path)
