"""Guess the language of texts, by script and by the commonest short words: enough to find texts of another language.

A script of its own tells Korean, Japanese, Chinese, Russian, Greek, Arabic, Hebrew, Thai and Hindi. Languages in Latin letters are
told by their commonest words, of which nearly every sentence has some; a text without any is `und`, as is one with too few letters.
No package is needed, nothing is downloaded, and the same text gives the same answer on every machine. Close relatives are
confused in short texts (Spanish and Portuguese); this serves to judge a data set, not one sentence.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components._core.texts.code_points import (
    ARABIC,
    CYRILLIC,
    DEVANAGARI,
    GREEK,
    HAN,
    HANGUL,
    HEBREW,
    KANA,
    LATIN,
    LETTER,
    SCRIPTS,
    THAI,
    CodePoints,
    find_words,
    hash_words,
    read_column,
)

UNDETERMINED = "und"
"""BCP 47's code of a text whose language is not known."""
_WORDS = {
    "en": "the and of to is was that for with it this you not are but have be on as at they my very so had from we what there were me would his her all if no will can an or when which their has been don it's i'm good great like just more about",
    "de": "der die und das nicht ist ich ein eine mit sich auf dem den von für im auch es sie war wir haben hat aber nach bei wie noch oder wenn sehr aus werden wird einen einem einer zum zur mir kein so man schon sind gut über nur",
    "fr": "le la les et des est un une dans que pas pour du qui il elle sur avec ce cette au aux je ne nous vous mais ou être sont plus par très tout fait été mon ses son c'est j'ai leur bien même trop comme était avons",
    "es": "el la los las y que de es un una en no por con para su al lo como más pero muy ha se me mi fue está este esta son todo también porque ser bien hay sin yo tiene cuando nos todos nada donde sobre",
    "pt": "o os as e que de é um uma em não por com para do da dos das no na se mais mas muito foi está este esta são eu ele ela como também ao você seu sua tem bem isso quando já só nos pelo pela meu minha ou",
    "it": "il lo gli e che di è un una in non per con del della dei nel sono si come più ma molto ha questo questa anche al alla mi ho stato tutto era ci suo da le la i dal se bene quando sua mio perché o essere",
    "nl": "de het een en van is dat niet op te zijn met voor ik er aan die maar ook als heb was ze hij je wel bij nog om naar heeft dit wat zo geen door zeer goed uit kan worden mijn over wij meer hebben",
    "pl": "i w nie się na z że to do jest jak ale o co za po od był już tak czy bardzo są przez dla ja mnie było tylko może ma go jego tym jeszcze który która bo gdy być mi te ten",
    "sv": "och att det som en på är av för med den till inte han var har jag ett om men så de vi från kan när nu mycket också vid hon skulle mig där bara sig eller man bra ska",
    "tr": "ve bir bu da de için çok ile ne ama daha en var gibi olarak ben sen o kadar her değil mi olan sonra yok ki güzel ya hiç şey iyi oldu bana diye",
    "id": "yang dan di itu dengan untuk tidak dari dalam ini akan pada ada ke saya juga oleh kami sudah bisa sangat tapi atau karena lebih mereka adalah anda kita seperti telah dia",
    "vi": "và của là không có cho được một các tôi với người trong này đã rất những để khi từ cũng đến như thì ra nhiều lại nó mà ở sẽ bạn anh",
}  # fmt: skip
"""The commonest words of languages in Latin letters that a text of another one rarely has."""
_SCRIPT_LANGUAGES = {
    HANGUL: "ko",
    CYRILLIC: "ru",
    GREEK: "el",
    ARABIC: "ar",
    HEBREW: "he",
    THAI: "th",
    DEVANAGARI: "hi",
}
CODES = (UNDETERMINED, *_SCRIPT_LANGUAGES.values(), "ja", "zh", *_WORDS)
"""Languages by the index that `guess` gives."""
_FEWEST_LETTERS = 2
_SHARE_BESIDE_LATIN = 0.25
"""Share of a text's letters, from which a script other than Latin tells its language: brands and terms in Latin are common in all."""
_SHARE_OF_KANA = 0.1
"""Share among Han and kana from which a text is Japanese."""
_HAN_BESIDE_HANGUL = 1
_FEWEST_WORDS, _FEWEST_SHARE, _AHEAD = 1, 0.12, 1.2
_SHORT = 4
"""Words up to which one common word is enough, in whichever share."""


def guess_column(column: pa.Array) -> pa.Array:
    """Return the language of each text (BCP 47; `und`: not known), null where the text is null."""
    names = np.array(CODES, dtype=object)
    parts = [names[guess(texts)] for _, texts in read_column(column)]
    found = pa.array(np.concatenate(parts) if parts else [], pa.string())
    return pa.array(found.to_pylist(), pa.string(), mask=np.asarray(column.is_null())) if column.null_count else found


def guess_text(text: str) -> str:
    """Return the language of one text."""
    return str(guess_column(pa.array([text], pa.string()))[0].as_py())


def count_scripts(column: pa.Array) -> dict[str, int]:
    """Return the number of letters of each script in a column (ISO 15924)."""
    counts = np.zeros(len(SCRIPTS), np.int64)
    for _, texts in read_column(column):
        counts += np.bincount(texts.classes, minlength=len(SCRIPTS))
    return {SCRIPTS[kind]: int(counts[kind]) for kind in range(LATIN, LETTER + 1) if counts[kind]}


def script_of(language: str) -> str:
    """Return the script of a language that can be guessed (ISO 15924); empty for `und` and others."""
    own = {name: SCRIPTS[kind] for kind, name in _SCRIPT_LANGUAGES.items()}
    return {**own, "ja": "Jpan", "zh": "Hani", **dict.fromkeys(_WORDS, "Latn")}.get(language, "")


def languages() -> list[str]:
    """Return the languages that can be guessed."""
    return sorted(CODES[1:])


def guess(texts: CodePoints) -> NDArray[np.int64]:
    """Return the language of each text as an index of `CODES`."""
    counts = _count_classes(texts)
    letters = counts.sum(axis=1)
    result = np.zeros(texts.count, np.int64)
    enough = letters >= _FEWEST_LETTERS
    east = counts[:, HAN - LATIN] + counts[:, KANA - LATIN]
    own = np.stack([*(counts[:, kind - LATIN] for kind in _SCRIPT_LANGUAGES), east], axis=1)
    best = own.argmax(axis=1)
    by_script = enough & (own.max(axis=1) > _SHARE_BESIDE_LATIN * letters)
    result[by_script] = best[by_script] + 1
    first_east = len(_SCRIPT_LANGUAGES) + 1
    is_east = by_script & (best == len(_SCRIPT_LANGUAGES))
    is_chinese = counts[:, KANA - LATIN] < _SHARE_OF_KANA * np.maximum(east, 1)
    result[is_east] = np.where(is_chinese, first_east + 1, first_east)[is_east]
    is_latin = enough & ~by_script & (2 * counts[:, 0] > letters)
    if is_latin.any():
        found = _guess_latin(texts)
        result[is_latin] = np.where(found >= 0, found + first_east + 2, 0)[is_latin]
    return result


def _count_classes(texts: CodePoints) -> NDArray[np.int64]:
    """Count the letters of each script in each text (int64 [texts, scripts])."""
    counts = np.zeros((texts.count, LETTER + 1 - LATIN), np.int64)
    for kind in np.flatnonzero(np.bincount(texts.classes, minlength=LETTER + 1)[LATIN:]):
        counts[:, kind] = texts.count_each(texts.classes == kind + LATIN)
    return counts


def _guess_latin(texts: CodePoints) -> NDArray[np.int64]:
    """Return the index of the language whose common words a text has most; -1: none is ahead."""
    hashes, weighted = _common_words()
    words = find_words(texts)
    totals = np.bincount(words.owners, minlength=texts.count)
    places = np.minimum(np.searchsorted(hashes, words.hashes), len(hashes) - 1)
    known = hashes[places] == words.hashes
    scores = np.zeros((texts.count, len(_WORDS)))
    rows, owners = places[known], words.owners[known]
    for number in range(len(_WORDS)):
        scores[:, number] = np.bincount(owners, weights=weighted[rows, number], minlength=texts.count)
    order = np.sort(scores, axis=1)
    is_common = order[:, -1] >= np.where(totals <= _SHORT, 0.5, _FEWEST_SHARE * totals / 2)
    is_ahead = order[:, -1] >= _AHEAD * order[:, -2]
    return np.where(is_common & is_ahead & (totals >= _FEWEST_WORDS), scores.argmax(axis=1), -1)


@cache
def _common_words() -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Return the sorted hashes of all common words, and how much each tells of each language: one of fewer languages tells more."""
    by_word: dict[str, list[int]] = {}
    for number, common in enumerate(_WORDS.values()):
        for word in common.replace("'", " ").split():
            by_word.setdefault(word, []).append(number)
    words = [word for word in by_word if len(word) > 1 or word in "eioy"]
    hashes = hash_words(words)
    order = np.argsort(hashes)
    has = np.zeros((len(words), len(_WORDS)))
    for row, place in enumerate(order.tolist()):
        has[row, by_word[words[place]]] = 1.0
    return hashes[order], has / has.sum(axis=1, keepdims=True)
