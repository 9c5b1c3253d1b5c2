"""Files of public data sets: taken from where the user keeps them, else fetched once and checked."""

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sparring.errors import DataError
from sparring.files import write_atomic

_TIMEOUT = 30
_LARGEST = 2**30


class Remote(NamedTuple):
    """A file that mirrors hold.

    Attributes:
        name: of the file, which ends the mirrors' addresses.
        digest: its content, ``"sha256:…"`` or ``"md5:…"``.
    """

    name: str
    digest: str


def own_folder(name: str) -> Path | None:
    """The folder of a named data set under ``SPARRING_DATA``, or None where there is none."""
    root = os.environ.get("SPARRING_DATA")
    folder = Path(root).expanduser() / name if root else None
    return folder if folder is not None and folder.is_dir() else None


def cache_folder(name: str) -> Path:
    """Where a fetched data set is kept: under ``SPARRING_CACHE``, else in the user's cache folder."""
    root = os.environ.get("SPARRING_CACHE")
    if root:
        return Path(root).expanduser() / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "sparring" / name


def fetch(remotes: Sequence[Remote], folder: Path, mirrors: Sequence[str]) -> Path:
    """Brings files into a folder, those that are not there already, whole and with the right content.

    Args:
        remotes: the files.
        folder: where they are kept; its name is the data set's.
        mirrors: addresses that end in ``/``, tried in this order.

    Returns:
        The folder.

    Raises:
        DataError: no mirror gave a file; the message names each one's reason and the way without a network.
    """
    for remote in remotes:
        path = folder / remote.name
        if not (path.is_file() and _digest(path, remote.digest) == remote.digest):
            _from_mirrors(remote, path, mirrors)
    return folder


def _from_mirrors(remote: Remote, path: Path, mirrors: Sequence[str]) -> None:
    reasons = []
    for mirror in mirrors:
        host = urllib.parse.urlsplit(mirror).netloc or mirror
        try:
            with write_atomic(path) as aside:
                _download(mirror + remote.name, aside)
                found = _digest(aside, remote.digest)
                if found != remote.digest:
                    raise ValueError(f"other content, {found[:20]}… instead of {remote.digest[:20]}…")
            return
        except urllib.error.HTTPError as error:
            error.close()
            reasons.append(f"{host}: HTTP {error.code}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            reasons.append(f"{host}: {getattr(error, 'reason', None) or error or type(error).__name__}")
    name = path.parent.name
    raise DataError(
        f"{name}: {remote.name} could not be fetched ({'; '.join(reasons) or 'no mirror is known'}); without a network "
        f"put the files into a folder '{name}' and set SPARRING_DATA to the folder that holds it"
    )


def _download(address: str, path: Path) -> None:
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise ValueError("not an http address")
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer, path.open("wb") as file:
        promised = int(answer.headers.get("Content-Length") or -1)
        if promised > _LARGEST:
            raise ValueError(f"promises {promised} bytes, more than any file here has")
        size = 0
        while data := answer.read(2**20):
            size += file.write(data)
            if size > _LARGEST:
                raise ValueError(f"sends more than {_LARGEST} bytes")
    if promised >= 0 and size != promised:
        raise ValueError(f"broke off after {size} of {promised} bytes")


def _digest(path: Path, like: str) -> str:
    algorithm = like.partition(":")[0]
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
