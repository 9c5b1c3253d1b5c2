import importlib
import pkgutil

import pytest

import sparring
from sparring import wording
from sparring.games.paired import Paired


@pytest.mark.parametrize("name", sparring.__all__)
def test_a_public_name_means_the_same_before_and_after_every_module_is_imported(name):
    before = getattr(sparring, name)
    assert callable(before)
    for module in pkgutil.iter_modules(sparring.__path__):
        if module.name == name:
            importlib.import_module(f"sparring.{name}")
    assert getattr(sparring, name) is before


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'gan'"):
        _ = sparring.gan


def test_a_game_without_a_discriminator_is_told_without_the_parts_of_one():
    alone, both = (wording.game(Paired(adversary=weight)) for weight in (0.0, 1.0))
    assert alone.endswith("no adversary")
    assert Paired().loss.name in both
    assert Paired().loss.name not in alone
