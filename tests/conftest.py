import os

from hypothesis import settings
from jaxtyping import install_import_hook

# The hook reaches only what is imported after it. SPARRING_UNCHECKED=1 leaves it out, to see what it costs.
if not os.environ.get("SPARRING_UNCHECKED"):
    install_import_hook("sparring", "typechecker.checked")

settings.register_profile("sparring", deadline=None, max_examples=25, derandomize=True, database=None)
settings.load_profile("sparring")
