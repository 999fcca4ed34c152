"""The project's name from its folder's: lower-case ASCII letters, digits and hyphens; Korean is romanised."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

FALLBACK = "project"
_LONGEST = 40
# Revised Romanization of Korean (National Institute of Korean Language, 2000), syllable by syllable without sound changes:
# a Unicode syllable is 0xAC00 + (first * 21 + vowel) * 28 + last.
_FIRST = "g kk n d tt r m b pp s ss - j jj ch k t p h".replace("-", "").split(" ")
_VOWEL = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split(" ")
_LAST = " k k k n n n t l k m l l l p l m p p t t ng t t k t p t".split(" ")
_SYLLABLES = range(0xAC00, 0xAC00 + len(_FIRST) * len(_VOWEL) * len(_LAST))


def project_name(folder: Path) -> str:
    """Derive a valid project name from the folder's name."""
    romanised = "".join(map(_romanise, unicodedata.normalize("NFC", folder.absolute().name)))
    plain = re.sub(r"[^a-z0-9]+", "-", romanised.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"{FALLBACK}-{plain}"
    return plain[:_LONGEST].strip("-") or FALLBACK


def name_note(folder: Path, name: str) -> str:
    """Report a name whose letters are not those of the folder; empty when they are."""
    kept = re.sub(r"[\W_]+", "-", folder.absolute().name.lower()).strip("-")
    if name in (kept, f"{FALLBACK}-{kept}", kept[:_LONGEST].strip("-")):
        return ""
    return (
        f"the project's name is {name}: the folder's, {folder.absolute().name!r}, in the letters that names may have; "
        "change it in project.yaml"
    )


def _romanise(letter: str) -> str:
    if ord(letter) not in _SYLLABLES:
        # a letter without its accent, as é is e; its marks would become hyphens
        return "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    number, last = divmod(ord(letter) - 0xAC00, len(_LAST))
    first, vowel = divmod(number, len(_VOWEL))
    return _FIRST[first] + _VOWEL[vowel] + _LAST[last]
