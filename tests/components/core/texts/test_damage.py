from __future__ import annotations

import pyarrow as pa
import pytest

from components._core.texts.damage import (
    CONTROLS,
    ESCAPES,
    KOREAN_AS_LATIN,
    QUESTIONS,
    REPLACED,
    UTF8_AS_KOREAN,
    UTF8_AS_LATIN,
    damage_kind,
    damaged_rows,
    has_markup,
    markup_rows,
)

KOREAN = "배송이 빠르고 포장도 꼼꼼해서 만족합니다"
CLEAN = [
    KOREAN,
    "The café’s crème brûlée… “très bon”, she said – and left.",
    "Er sagte „Weiß“ und „Maß“; STRASSE heißt „STRAßE“.",
    "«É», «CAFÉ», «À LA CARTE»",
    "¿Qué tal? ¡Muy bien! El niño tenía 25 °C.",
    "Smörgåsbord på svenska: å, ä, ö, Å, Ä, Ö, ÄÖÜ",
    "A IRMÃ” disse não às ações",
    "really?? why??",
    "你好，世界。質量不錯",
    "とても良い。",
    "Всё хорошо",
    "👍🏽 good 👩‍👧",
    "C:\\users\\new\\x86",
    "tab\there\nnew line",
    "똠방각하 펲시콜라",
    "",
]


@pytest.mark.parametrize(
    ("damaged", "kind"),
    [
        (KOREAN.encode("utf-8").decode("latin-1"), UTF8_AS_LATIN),
        (KOREAN.encode("utf-8").decode("cp1252", "ignore"), UTF8_AS_LATIN),
        ("It’s nice".encode().decode("cp1252"), UTF8_AS_LATIN),
        ("Das Gerät ist gut".encode().decode("cp1252"), UTF8_AS_LATIN),
        ("Всё хорошо".encode().decode("latin-1"), UTF8_AS_LATIN),
        ("nice 😀".encode().decode("latin-1"), UTF8_AS_LATIN),
        (KOREAN.encode("cp949").decode("latin-1"), KOREAN_AS_LATIN),
        (KOREAN.encode("cp949").decode("cp1252", "ignore"), KOREAN_AS_LATIN),
        (KOREAN.encode("utf-8").decode("cp949", "ignore"), UTF8_AS_KOREAN),
        (KOREAN.encode("utf-8").decode("ascii", "replace"), REPLACED),
        (KOREAN.encode("ascii", "backslashreplace").decode(), ESCAPES),
        (KOREAN.encode("ascii", "replace").decode(), QUESTIONS),
        ("bell \x07", CONTROLS),
    ],
)
def test_damage_has_its_kind(damaged, kind):
    assert damage_kind(damaged) == kind
    assert damaged_rows(pa.array([None, "fine", damaged])) == {kind: [2]}


@pytest.mark.parametrize("text", CLEAN)
def test_a_clean_text_has_none(text):
    assert damage_kind(text) == ""
    assert not has_markup(text)


def test_the_rows_of_a_column_are_those_of_its_texts():
    texts = [*CLEAN, KOREAN.encode("cp949").decode("latin-1"), *CLEAN, "\ufffd", None]

    assert damaged_rows(pa.array(texts)) == {KOREAN_AS_LATIN: [len(CLEAN)], REPLACED: [2 * len(CLEAN) + 1]}


@pytest.mark.parametrize(
    "text",
    [
        "<p>good</p>",
        "a<br>b",
        "a<br/>b",
        "fish &amp; chips",
        "it&#39;s",
        '<a href="http://x.com">x</a>',
        "[b]bold[/b]",
        "<!-- x -->",
    ],
)
def test_markup_is_found(text):
    assert has_markup(text)
    assert markup_rows(pa.array(["1 < 2", text, None])) == [1]


@pytest.mark.parametrize(
    "text", ["a <b and c> d", "x < y > z", "AT&T; R&D", "<3 you", "[mail] or [1]", "<name>", "i <3 u & me"]
)
def test_signs_that_are_no_markup_stay(text):
    assert not has_markup(text)
