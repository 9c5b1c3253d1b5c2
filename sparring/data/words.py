"""Words: pictures of words beside pictures of their counterparts in another language, drawn with fonts that are here.

A tutorial's "translate an image of English text into Chinese" with a known answer: what a picture says can
be read back by a classifier.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from sparring.data import Dataset, DataSource
from sparring.data.fonts import Face, centred, drawn, faces, refuse_missing
from sparring.data.images import Size, digests
from sparring.data.lexicon import ENGLISH_TO_CHINESE
from sparring.data.named import shadowed
from sparring.data.pairs import Moved
from sparring.errors import DataError
from sparring.randomness import derive

_SIZE = (32, 64)
_FACES = "font files; none: those that fontconfig finds for the language"


class Words(DataSource):
    """Renderings of words in many fonts, sizes and places with noise, and their counterparts', clean.

    The middle of a counterpart lies where that of its word does, as near as there is room for, and it is bold where the
    word is, so that each picture has one right answer. A tenth is the test split: unseen renderings of known words. The
    attribute ``word`` is the counterpart.
    """

    count: int = Field(default=36_000, ge=10, le=1_000_000, description="pairs, as many of each word")
    size: Size = Field(default=None, description="height and width of a picture; none: 32x64")
    lexicon: str | None = Field(
        default=None,
        description="a UTF-8 file of lines WORD<TAB>COUNTERPART; none: 72 English words and their Chinese",
    )
    languages: tuple[str, str] = Field(default=("en", "zh-cn"), description="of words and counterparts, for fontconfig")
    fonts: tuple[str, ...] = Field(default=(), description=f"of the words: {_FACES}")
    counterpart_fonts: tuple[str, ...] = Field(default=(), description=f"of the counterparts: {_FACES}")
    noise: float = Field(default=20.0, ge=0, le=255, description="standard deviation of the words' noise")
    shift: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="largest shift of both while learning, as a share of the size; then the place of a counterpart "
        "that has no room to move cannot be told from its word",
    )
    seed: int = Field(default=0, ge=0, description="of the draws")

    def title(self) -> str:
        return self.name

    def load(self) -> Dataset:
        pairs = self.pairs()
        here = _faces(self.counterpart_fonts, self.languages[1])
        there = _faces(self.fonts, self.languages[0])
        for side, found in enumerate((there, here)):
            for face in found:
                refuse_missing(face, [pair[side] for pair in pairs])
        which = np.arange(self.count) % len(pairs)
        source = np.random.Generator(np.random.Philox(key=derive(self.seed, self.name)))
        source.shuffle(which)
        drawings = [
            self._pair(pairs[word], there, here, derive(self.seed, self.name, i)) for i, word in enumerate(which)
        ]
        given, clean, made = (np.stack(side)[..., None] for side in zip(*drawings, strict=True))
        return Dataset(
            items=Moved(made, mirror=False, shift=self.shift),
            modality="image",
            names=[f"{pairs[word][0]}#{row}" for row, word in enumerate(which)],
            digests=digests(np.concatenate([given, made], 2)),
            attributes={"word": np.array([pairs[word][1] for word in which])},
            test=np.arange(self.count) % 10 == 9,
            notes=(f"{len(pairs)} words in {len(there)} fonts, counterparts in {len(here)}", *shadowed(self.name)),
            given=Noised(given, Moved(clean, mirror=False, shift=self.shift), self.noise),
        )

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The lexicon.

        Raises:
            DataError: its file cannot be read, or a line is no pair.
        """
        if self.lexicon is None:
            return ENGLISH_TO_CHINESE
        try:
            lines = Path(self.lexicon).expanduser().read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"words.lexicon = {self.lexicon}: cannot be read ({error}); give a UTF-8 file") from None
        found = [tuple(part.strip() for part in line.split("\t")) for line in lines if line.strip()]
        wrong = next((pair for pair in found if len(pair) != 2 or not all(pair)), None)
        if wrong is not None or len(found) < 2:
            raise DataError(f"words.lexicon = {self.lexicon}: {wrong or 'empty'} is no line WORD<TAB>COUNTERPART")
        return tuple((word, counterpart) for word, counterpart in found)

    def _pair(
        self, words: tuple[str, str], there: tuple[Face, ...], here: tuple[Face, ...], key: int
    ) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]:
        """A rendering of a word, dark on light paper, with noise and without; and its counterpart, black on white."""
        source = np.random.Generator(np.random.Philox(key=key))
        height, width = size = self.size or _SIZE
        chosen = int(source.integers(len(there)))
        face, place = there[chosen], (float(source.random()), float(source.random()))
        tall = round(height * source.uniform(0.42, 0.62))
        word = drawn(words[0], face, tall=tall, size=size, place=place)
        alike = [other for other in here if other.bold == face.bold] or list(here)
        counterpart = drawn(
            words[1],
            alike[chosen % len(alike)],
            tall=round(0.78 * min(height, width / 2)),
            size=size,
            place=(0.5, 0.5),
        )
        paper, ink = source.uniform(190, 255), source.uniform(0, 60)
        shade = paper + (ink - paper) * (word / 255)
        noise = self.noise * source.standard_normal((height, width))
        return _pixels(shade + noise), _pixels(shade), 255 - centred(counterpart, word)


class Noised:
    """Pictures as they are; while learning clean ones, moved, with noise that each reading draws anew.

    Noise that came with a picture would tell, where it is mirrored at an edge, how far it was moved: a network went by
    that. It could also tell which picture it is.

    Args:
        pixels: with noise, ``(n, h, w, c)``.
        clean: without.
        noise: standard deviation.
    """

    def __init__(self, pixels: np.ndarray, clean: Moved, noise: float):
        self.pixels, self.clean, self.noise = pixels, clean, noise
        self.shape, self.dtype = pixels.shape, pixels.dtype

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.pixels[rows]

    def drawn(self, rows: np.ndarray, keys: Sequence[int]) -> np.ndarray:
        """The pictures in these rows, each moved and with noise as its key says."""
        shades = self.clean.drawn(rows, keys)
        sources = (np.random.Generator(np.random.Philox(key=derive(key, "noise"))) for key in keys)
        noise = np.stack([source.standard_normal(shades.shape[1:], np.float32) for source in sources])
        return _pixels(shades + self.noise * noise)


def _pixels(shades: np.ndarray) -> np.ndarray:
    return np.rint(shades).clip(0, 255).astype(np.uint8)


def _faces(given: tuple[str, ...], language: str) -> tuple[Face, ...]:
    return tuple(Face(file) for file in given) or faces(language)
