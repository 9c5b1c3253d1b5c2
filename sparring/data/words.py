"""Words: pictures of words beside pictures of their counterparts in another language, drawn with fonts that are here.

A tutorial's "translate an image of English text into Chinese" with a known answer: what a picture says can
be read back by a classifier.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from sparring.data import Dataset, DataSource
from sparring.data.fonts import Face, centred, faces, line, placed, refuse_missing
from sparring.data.images import Size, digests
from sparring.data.lexicon import ENGLISH_TO_CHINESE
from sparring.data.named import shadowed
from sparring.errors import DataError
from sparring.randomness import derive

_SIZE = (32, 64)
_KEPT = 2**26
"""Bytes of drawn lines that are kept, and an eighth of them of pairs."""
_FACES = "font files; none: those that fontconfig finds for the language"


class Words(DataSource):
    """Renderings of words in many fonts, sizes and places with noise, and their counterparts', clean.

    The middle of a counterpart lies where that of its word does, as near as there is room for, and it is bold where the
    word is, so that each picture has one right answer. A tenth is the test split: unseen renderings of known words. The
    attribute ``word`` is the counterpart. While learning, each reading of a pair is a rendering of its own: a network
    would otherwise learn by heart how the words of a finite set were drawn.
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
        np.random.Generator(np.random.Philox(key=derive(self.seed, self.name))).shuffle(which)
        press = Press(pairs, there, here, self.size or _SIZE, self.noise)
        printed = [press.pair(word, derive(self.seed, self.name, i)) for i, word in enumerate(which.tolist())]
        given, made = (np.stack(side)[..., None] for side in zip(*printed, strict=True))
        return Dataset(
            items=Printed(made, which, press, side=1),
            modality="image",
            names=[f"{pairs[word][0]}#{row}" for row, word in enumerate(which)],
            digests=digests(np.concatenate([given, made], 2)),
            attributes={"word": np.array([pairs[word][1] for word in which])},
            test=np.arange(self.count) % 10 == 9,
            notes=(f"{len(pairs)} words in {len(there)} fonts, counterparts in {len(here)}", *shadowed(self.name)),
            given=Printed(given, which, press, side=0),
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


class Press:
    """Draws words and their counterparts.

    Args:
        pairs: words with their counterparts.
        there: faces of the words.
        here: faces of the counterparts.
        size: height and width of a picture.
        noise: standard deviation of the words' noise.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        there: Sequence[Face],
        here: Sequence[Face],
        size: tuple[int, int],
        noise: float,
    ):
        self.pairs, self.there, self.size, self.noise = pairs, there, size, noise
        # Bold where the word is.
        self.here = [([other for other in here if other.bold == face.bold] or here) for face in there]
        self._line = lru_cache(maxsize=max(1, _KEPT // (size[0] * size[1])))(line)
        # Both sides of a pair are read one after the other.
        self.pair = lru_cache(maxsize=max(1, _KEPT // (8 * size[0] * size[1])))(self._pair)

    def _pair(self, word: int, key: int) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]:
        """A rendering of a word, dark on light paper with noise, and its counterpart, black on white."""
        source = np.random.Generator(np.random.Philox(key=key))
        chosen = int(source.integers(len(self.there)))
        place = float(source.random()), float(source.random())
        tall = round(self.size[0] * source.uniform(0.42, 0.62))
        drawing = placed(self._line(self.pairs[word][0], self.there[chosen], tall, self.size), self.size, place)
        alike = self.here[chosen]
        wanted = round(0.78 * min(self.size[0], self.size[1] / 2))
        counterpart = self._line(self.pairs[word][1], alike[chosen % len(alike)], wanted, self.size)
        paper, ink = source.uniform(190, 255), source.uniform(0, 60)
        noise = self.noise * source.standard_normal(self.size)
        shades = np.rint(paper + (ink - paper) * (drawing / 255) + noise).clip(0, 255).astype(np.uint8)
        return shades, 255 - centred(placed(counterpart, self.size, (0.5, 0.5)), drawing)


class Printed:
    """One side of pairs as they are; while learning, renderings that each reading draws anew.

    Args:
        pixels: of the pairs, ``(n, h, w, c)``.
        words: of each pair, ``(n,)``.
        press: draws them; both sides share their keys, and so their renderings.
        side: 0 of words, 1 of counterparts.
    """

    def __init__(self, pixels: np.ndarray, words: np.ndarray, press: Press, *, side: int):
        self.pixels, self.words, self.press, self.side = pixels, words, press, side
        self.shape, self.dtype = pixels.shape, pixels.dtype

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.pixels[rows]

    def drawn(self, rows: np.ndarray, keys: Sequence[int]) -> np.ndarray:
        """Renderings of the words in these rows, each as its key says."""
        words = self.words[rows].tolist()
        pairs = (self.press.pair(word, derive(key, "printed")) for word, key in zip(words, keys, strict=True))
        return np.stack([pair[self.side] for pair in pairs])[..., None]


def _faces(given: tuple[str, ...], language: str) -> tuple[Face, ...]:
    return tuple(Face(file) for file in given) or faces(language)
