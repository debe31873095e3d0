"""Sentences about pictures of digits, made of their labels and of how they are drawn. Shapes: H rows, W columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TRAINING = (
    "{digit}",
    "the digit {digit}",
    "a handwritten {digit}",
    "the number {digit}",
    "{a_stroke} {digit}",
    "{a_slant} {digit}",
    "{a_stroke}, {slant} {digit}",
    "the digit {digit}, {stroke} and {slant}",
    "a {digit} drawn with a {stroke} stroke",
    "number {digit}, {slant}",
    "{digit}: {stroke}, {slant}",
    "draw {a_stroke} {digit}",
)
"""The wordings of training images."""
HELD_OUT = (
    "someone wrote a {digit} with a {stroke} pen",
    "this picture shows {a_slant} {digit}",
    "an example of the numeral {digit}",
    "please show me {a_stroke} {digit} that is {slant}",
)
"""The wordings of test images, of which training sees none."""
STROKES, SLANTS = ("thin", "thick"), ("upright", "slanted")


@dataclass(frozen=True)
class Traits:
    """How digits are drawn: the limits below and above which a trait is named; between them it is not."""

    thin: float
    thick: float
    upright: float
    slanted: float

    @classmethod
    def of(cls, shades: NDArray[np.uint8]) -> Traits:
        """Measures pictures [N, H, W]; a third of them are thin and a third thick, and so are upright and slanted."""
        strokes, slants = np.array([stroke(one) for one in shades]), np.array([slant(one) for one in shades])
        return cls(*np.quantile(strokes, [1 / 3, 2 / 3]).tolist(), *np.quantile(slants, [1 / 3, 2 / 3]).tolist())

    def words(self, shades: NDArray[np.uint8]) -> tuple[str, str]:
        """Names the stroke and the slant of a picture [H, W], "" where they are in between."""
        return (
            _named(stroke(shades), self.thin, self.thick, STROKES),
            _named(slant(shades), self.upright, self.slanted, SLANTS),
        )


def stroke(shades: NDArray[np.uint8]) -> float:
    """Measures how thick the strokes [H, W] are: twice the ink for each pixel of its edge, in pixels."""
    ink = np.pad(shades > 127, 1)
    inside = ink[1:-1, 1:-1] & ink[:-2, 1:-1] & ink[2:, 1:-1] & ink[1:-1, :-2] & ink[1:-1, 2:]
    edge = int(ink.sum()) - int(inside.sum())
    return 2 * float(ink.sum()) / max(1, edge)


def slant(shades: NDArray[np.uint8]) -> float:
    """Measures how far a picture [H, W] leans, to either side: columns per row of its axis, by second moments."""
    weight = shades.astype(np.float64)
    if not weight.any():
        return 0.0
    rows, columns = (axis - np.average(axis, weights=weight) for axis in np.indices(weight.shape))
    spread = (weight * rows**2).sum()
    return float(abs((weight * rows * columns).sum() / spread)) if spread else 0.0


def caption(digit: int, words: tuple[str, str], wordings: tuple[str, ...], random: np.random.Generator) -> str:
    """Draws a sentence that says which digit a picture shows, and what is named of its traits.

    Args:
        digit: 0 to 9, which is said in letters or as a numeral.
        words: the names of the stroke and the slant, "" where they have none; only wordings that need no more are used.
        wordings: sentences with the places {digit}, {stroke}, {a_stroke}, {slant} and {a_slant}.
        random: decides.
    """
    stroke_word, slant_word = words
    missing = [place for place, word in (("stroke", stroke_word), ("slant", slant_word)) if not word]
    fitting = [wording for wording in wordings if not any(f"{place}}}" in wording for place in missing)]
    said = WORDS[digit] if random.integers(2) else str(digit)
    return str(random.choice(fitting)).format(
        digit=said,
        stroke=stroke_word,
        a_stroke=_with_article(stroke_word),
        slant=slant_word,
        a_slant=_with_article(slant_word),
    )


def _named(value: float, low: float, high: float, names: tuple[str, str]) -> str:
    return names[0] if value <= low else names[1] if value >= high else ""


def _with_article(word: str) -> str:
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"
