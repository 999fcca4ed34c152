"""Texts that others choose, in messages and in answers."""

from __future__ import annotations

import re
import unicodedata


def shorten(text: str, longest: int = 60) -> str:
    """Return a text for a message; of a longer one its beginning."""
    return text if len(text) <= longest else text[:longest] + "..."


def is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8: half of a surrogate pair, which JSON can have, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_visible(text: str) -> bool:
    """Return whether every character of a text shows.

    It is printable, or a joiner without a width of its own where it changes what its neighbours look like (UAX #31, section 2.3): in an emoji of
    several, beside a virama of the Indic scripts, between letters of a script whose letters join. Elsewhere a joiner only hides a difference.
    """
    shown = _FLAG_OF_A_REGION.sub(_BLACK_FLAG, text)
    return all(letter.isprintable() or _joins(shown, place) for place, letter in enumerate(shown))


def without_joiners(text: str) -> str:
    """Return a text without the characters that join or part others."""
    return text.replace(_ZWNJ, "").replace(_ZWJ, "")


_ZWNJ, _ZWJ = "\u200c", "\u200d"
_BLACK_FLAG = "\U0001f3f4"
_FLAG_OF_A_REGION = re.compile(f"{_BLACK_FLAG}[\U000e0020-\U000e007e]+\U000e007f")
"""A flag such as Scotland's: tags without a width behind a black one."""
_BEHIND_AN_EMOJI = "\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
"""The selector of the coloured form, and the tones of skin."""
_JOINED_SCRIPTS = frozenset({"ADLAM", "ARABIC", "HANIFI", "MANDAIC", "MONGOLIAN", "NKO", "PHAGS-PA", "SYRIAC"})
"""First words of the names of letters that join their neighbours."""
_LEFT_RIGHT_ARROW = "\u2194"
"""A mathematical symbol by its category, and a part of emoji: a head that shakes."""
_VIRAMA = 9
"""Canonical combining class of the sign that takes a consonant's vowel away."""


def _joins(text: str, place: int) -> bool:
    before, after = text[:place].rstrip(_BEHIND_AN_EMOJI)[-1:], text[place + 1 : place + 2]
    if text[place] not in (_ZWNJ, _ZWJ) or not before:
        return False
    if unicodedata.combining(before) == _VIRAMA or (after and unicodedata.combining(after) == _VIRAMA):
        return True
    if text[place] == _ZWNJ:
        return _is_joined(before) and _is_joined(after)
    return _is_joined(before) or (_is_symbol(before) and _is_symbol(after))


def _is_joined(letter: str) -> bool:
    return bool(letter) and letter.isprintable() and unicodedata.name(letter, "").split(" ")[0] in _JOINED_SCRIPTS


def _is_symbol(letter: str) -> bool:
    return bool(letter) and (unicodedata.category(letter) == "So" or letter == _LEFT_RIGHT_ARROW)
