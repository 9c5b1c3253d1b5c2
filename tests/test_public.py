import importlib
import pkgutil

import pytest

import sparring


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
