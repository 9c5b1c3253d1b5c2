"""Weights of pretrained networks: found, fetched once or given by a path; hashed, converted, never unpickled freely."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError  # the name of the error alone
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sparring.data.download import Remote, cache_folder, fetch, own_folder
from sparring.errors import DataError, RequestError
from sparring.files import write_atomic


class Weights(NamedTuple):
    """Weights by name, with the content hash of the file that they came from.

    Attributes:
        tensors: by the names of the published file.
        digest: ``"sha256:…"`` of that file, also where a conversion of it was read.
    """

    tensors: dict[str, Tensor]
    digest: str


def find_weights(name: str, path: str, remote: Remote, mirrors: Sequence[str]) -> Path:
    """The file of a network's weights.

    Args:
        name: of the features, and of the folder under ``SPARRING_DATA`` or in the cache.
        path: where the user says it is, or nothing.
        remote: the published file.
        mirrors: where that is fetched from, once.

    Raises:
        RequestError: there is no such file, or it is of no form that can be read safely.
        DataError: it is nowhere and could not be fetched.
    """
    if path:
        found = Path(path).expanduser()
        if not found.is_file():
            raise RequestError(f"{name}.weights = {path}: there is no such file")
        return found
    folder = own_folder(name)
    if folder is not None and (folder / remote.name).is_file():
        return folder / remote.name
    return fetch((remote,), cache_folder(name), mirrors) / remote.name


def read_weights(name: str, path: Path, known: Remote) -> Weights:
    """Weights from a ``.safetensors`` file, or from a ``.pth`` file by way of one.

    A ``.pth`` file is hashed first; where it is not the published one it is refused, as its numbers would be called by
    a name that they do not deserve. It is read with ``weights_only=True`` and kept as safetensors in the cache.

    Raises:
        RequestError: another content, or a form that is not read.
        DataError: the file is damaged.
    """
    cache = cache_folder(name)
    if path.suffix == ".safetensors":
        # What a header says of its origin is believed of the own conversions alone.
        return _read_safetensors(path, believed=path.resolve().parent == cache.resolve())
    if path.suffix not in (".pth", ".pt"):
        raise RequestError(f"{name}.weights = {path}: a .pth or .safetensors file is wanted")
    digest = _digest(path)
    if digest != known.digest:
        raise RequestError(
            f"{name}.weights = {path}: content {digest[:20]}… is not the published {known.digest[:20]}…; "
            "other weights are taken as .safetensors"
        )
    kept = cache / f"{path.stem}-{digest.removeprefix('sha256:')[:16]}.safetensors"
    if not kept.is_file():
        convert(path, kept, digest)
    return _read_safetensors(kept, believed=True)


def convert(path: Path, kept: Path, digest: str) -> None:
    """Writes the tensors of a ``.pth`` file as safetensors, with the hash of the file that they came from."""
    try:
        read = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise DataError(f"'{path}' holds no weights that can be read safely ({str(error).splitlines()[0]})") from None
    if not isinstance(read, dict) or not all(isinstance(value, Tensor) for value in read.values()):
        raise DataError(f"'{path}' holds no table of tensors by name")
    with write_atomic(kept) as aside:
        save_file({key: value.detach().contiguous() for key, value in read.items()}, aside, {"digest": digest})


def load_into(network: nn.Module, weights: Weights, name: str) -> None:
    """Copies weights into a network of the same names and shapes.

    Raises:
        RequestError: a name or a shape is another; the message names the first.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    there = {key: tuple(value.shape) for key, value in weights.tensors.items()}
    wrong = sorted(key for key in {*wanted, *there} if wanted.get(key) != there.get(key))
    if wrong:
        first = wrong[0]
        raise RequestError(
            f"{name}: {len(wrong)} tensors do not fit, first '{first}', {there.get(first, 'not in the file')} in the "
            f"place of {wanted.get(first, 'no such tensor')}"
        )
    network.load_state_dict(weights.tensors)


def _read_safetensors(path: Path, *, believed: bool) -> Weights:
    try:
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get("digest", "") if believed else ""
        return Weights(load_file(path), told or _digest(path))
    except (OSError, SafetensorError) as error:
        raise DataError(f"'{path}' is no whole safetensors file ({error}); fetch or convert it again") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
