from __future__ import annotations

import random
import time

import pyarrow as pa
import pytest

from components._core.texts.personal_data import (
    CARD,
    KINDS,
    MAIL,
    PHONE,
    RESIDENT_NUMBER,
    count_column,
    find,
    mask,
    mask_column,
)


def resident_number(day: str, sex: int, rest: str) -> str:
    """Make a number by the rule as the ministry publishes it: a check digit of weights 2 to 9, then 2 to 5; 2 more for foreigners."""
    digits = [int(digit) for digit in f"{day}{sex}{rest}"]
    total = sum(digit * (2 + place % 8) for place, digit in enumerate(digits))
    return f"{day}-{sex}{rest}{((11 - total % 11) + (2 if sex >= 5 else 0)) % 10}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to Ann.Lee+x@mail.example.co.kr.", "Write to [mail]."),
        ("메일은 hong@example.com으로, 전화는 010-1234-5678로", "메일은 [mail]으로, 전화는 [phone]로"),
        ("call 01012345678 or 02-123-4567", "call [phone] or [phone]"),
        ("(031) 123-4567, 070.1234.5678", "[phone], [phone]"),
        ("+82 10 1234 5678 / +82-(0)10-1234-5678", "[phone] / [phone]"),
        ("+49 30 901820, +1 (212) 555-0123", "[phone], [phone]"),
        ("212-555-0123 and (212) 555-0123", "[phone] and [phone]"),
        ("03-1234-5678, 06 12 34 56 78, 030 12345678", "[phone], [phone], [phone]"),
        ("card 4111 1111 1111 1111, amex 3782-822463-10005", "card [card], amex [card]"),
        ("5555555555554444", "[card]"),
        (f"주민번호 {resident_number('900131', 1, '23456')}.", "주민번호 [resident_number]."),
        (f"foreign {resident_number('850505', 6, '12345')}", "foreign [resident_number]"),
        (resident_number("010203", 4, "54321").replace("-", ""), "[resident_number]"),
        ("born in 2021: 210301-3123456", "born in 2021: [resident_number]"),
    ],
)
def test_personal_data_is_masked(text, masked):
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112",  # not a card's check digit
        "900131-1234562",  # not a resident number's
        "901331-1234567",  # nor a date
        "on 01.02.2024 and 2024-05-01, 12:30:45",
        "it costs 1,234,567 won, 0.123456789 or 1234567890",
        "a @ b, @name, me@home, x@.com",
        "version 10.0.19041.1234 from 192.168.100.200",
        "ISBN 978-3-16-148410-0",
        "between 1588-1600 and 2000-2024",
        "0000 0000 0000 0000",
    ],
)
def test_other_numbers_stay(text):
    assert mask(text) == text


def test_only_the_given_kinds_are_masked():
    text = "a@example.com 010-1234-5678"

    assert mask(text, [PHONE]) == "a@example.com [phone]"
    assert [one.kind for one in find(text)] == [MAIL, PHONE]


def test_a_random_number_is_hardly_ever_taken_for_a_card_or_a_resident_number():
    draw = random.Random(5)
    texts = [str(draw.randrange(10**12, 10**16)) for _ in range(3_000)]
    found = [one.kind for text in texts for one in find(text, [CARD, RESIDENT_NUMBER])]

    assert len(found) < 0.06 * len(texts)  # one of ten passes the check digit, a third of those is of an issuer


def test_a_column_is_masked_as_its_texts_are():
    texts = ["nothing", None, "a@example.com and b@example.com", "", "010-1234-5678", "1 @ 2"]
    masked, counts = mask_column(pa.array(texts), KINDS)

    assert masked.to_pylist() == [None if text is None else mask(text) for text in texts]
    assert counts == {MAIL: 1, PHONE: 1}
    assert count_column(pa.array(texts)) == {MAIL: [2], PHONE: [4]}
    assert mask_column(pa.array(texts), [])[0].to_pylist() == texts


@pytest.mark.parametrize("part", ["a", "@", "a@", "0", "1 ", "a.", "010-", "+1", "4111 ", "a@b."])
def test_no_text_takes_more_than_linear_time(part):
    text = part * (200_000 // len(part))
    began = time.process_time()
    find(text)

    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("전화 010 - 1234 - 5678 로", "전화 [phone] 로"),
        ("０１０－１２３４－５６７８", "[phone]"),
        ("010‐1234‐5678 또는 010–1234–5678", "[phone] 또는 [phone]"),
        ("kim＠example．com", "[mail]"),
        ("4111\u00a01111\u00a01111\u00a01111", "[card]"),
        ("900101 - 1234568", "[resident_number]"),
        ("값은 １２３ 이고 ４５６ 입니다", "값은 １２３ 이고 ４５６ 입니다"),
    ],
)
def test_wide_digits_other_dashes_and_blanks_hide_nothing(text: str, masked: str) -> None:
    assert mask(text) == masked
    column, _ = mask_column(pa.array([text, "plain"]), KINDS)
    assert column.to_pylist() == [masked, "plain"]
