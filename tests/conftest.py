import os

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# The hook reaches only what is imported after it. SPARRING_UNCHECKED=1 leaves it out, to see what it costs.
if not os.environ.get("SPARRING_UNCHECKED"):
    install_import_hook("sparring", "typechecker.checked")

settings.register_profile("sparring", deadline=None, max_examples=25, derandomize=True, database=None)
settings.load_profile("sparring")


@pytest.fixture(scope="session")
def shades(tmp_path_factory):
    """A file of 150 tiny grey pictures of noise."""
    from sparring.data.arrays import Arrays

    path = tmp_path_factory.mktemp("data") / "shades.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (150, 4, 4, 1), dtype=np.uint8))
    return Arrays(path=str(path))


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of six small pictures."""
    from restorers import pictures

    return pictures(tmp_path_factory.mktemp("photos"))


def _restorer(tmp_path_factory, photos, task):
    from restorers import KINDS, restorer

    return restorer(tmp_path_factory.mktemp("runs"), photos, task, *KINDS[task])


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory, photos):
    """A run of denoising, two steps long."""
    return _restorer(tmp_path_factory, photos, "denoising")


@pytest.fixture(scope="session")
def enlarger(tmp_path_factory, photos):
    """A run of super-resolution by two, two steps long."""
    return _restorer(tmp_path_factory, photos, "super-resolution")


@pytest.fixture(scope="session")
def inpainter(tmp_path_factory, photos):
    """A run of inpainting, two steps long."""
    return _restorer(tmp_path_factory, photos, "inpainting")
