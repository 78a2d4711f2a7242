"""Normalise store names, split them into parts, and find the nearest spelling."""

import difflib
import re
import unicodedata
from collections.abc import Collection

#: Marks inside words, which are removed: 'Cat’s' is 'Cats', 'Zultanite™' is 'Zultanite'.
_INSIDE_WORDS = dict.fromkeys(map(ord, "'’‘ʼ`´™®©"))

_SPELLINGS = {"color": "colour", "bicolor": "bicolour", "gray": "grey"}

#: Words that stores add and that say nothing about the material.
_EMPTY_WORDS = frozenset(["cabochon", "faceted", "gem", "gemstone", "genuine", "loose", "natural", "stone"])

#: Minimum `difflib` ratio of two words to count as one word misspelt: one letter in seven may differ.
_SAME_WORD = 0.85


def normalise(name: str) -> str:
    """The form in which names are compared: without case, accents, punctuation, plural or word order.

    'Cat’s Eye' is 'Cats Eye', 'Sapphire Blue' is 'Blue Sapphire'; normalise(normalise(x)) == normalise(x).
    """
    letters = unicodedata.normalize("NFKD", name.translate(_INSIDE_WORDS))
    letters = unicodedata.normalize("NFKD", letters.translate(_INSIDE_WORDS).casefold())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    words = (_singular(word) for word in re.findall(r"[^\W_]+", letters))
    return " ".join(sorted(_SPELLINGS.get(word, word) for word in words))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def without_empty_words(form: str) -> str:
    """A normalised name without the words that say nothing about the material ('natural', 'gemstone')."""
    return " ".join(word for word in form.split() if word not in _EMPTY_WORDS)


def parts(name: str) -> list[str]:
    """The names in 'Hessonite (Gomed)', 'Sapphire - Pukhraj' and 'A/B'; a simple name is its only part."""
    return [part for part in re.split(r"[()\[\]/|_]|\s[-–—]\s", name) if normalise(part)]


def correct(form: str, known: Collection[str]) -> str | None:
    """Correct the spelling word by word; returns a normalised name of `known`, or None.

    Words are compared one by one, so 'black saphire' becomes 'black sapphire' and not 'peach sapphire'.
    """
    words = sorted({word for other in known for word in other.split()})
    replaced = []
    for word in form.split():
        nearest = [word] if word in words else difflib.get_close_matches(word, words, 1, _SAME_WORD)
        if not nearest:
            return None
        replaced += nearest
    corrected = " ".join(sorted(replaced))
    return corrected if corrected in known else None


def nearest(form: str, known: Collection[str], count: int) -> list[str]:
    """The normalised names of `known` with the most similar spelling, nearest first."""
    return difflib.get_close_matches(form, sorted(known), count, cutoff=0)
