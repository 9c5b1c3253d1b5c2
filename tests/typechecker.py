"""Checks annotations and shapes while the tests run; ``conftest.py`` puts it around every function of the package."""

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintException

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an integer is a float, as for type checkers


def checked(function):
    """The function with its annotations checked, or itself where one cannot be (``Self``, structural protocols)."""
    try:
        return _check(function)
    except BeartypeDecorHintException:
        return function
