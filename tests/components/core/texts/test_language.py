from __future__ import annotations

import pyarrow as pa
import pytest

from components._core.texts.code_points import read_column, read_texts
from components._core.texts.language import count_scripts, guess_column, guess_text, languages, script_of

SENTENCES = {
    "ko": "배송이 빨라서 좋았어요. iPhone 케이스도 마음에 듭니다.",
    "en": "The battery did not last a day, and I was told to wait.",
    "de": "Die Lieferung war schnell, aber das Gerät ist leider nicht gut.",
    "fr": "Le service est très bien mais la livraison a été trop longue.",
    "es": "El producto es muy bueno, pero la entrega no fue rápida.",
    "pt": "O produto é muito bom, mas a entrega não foi rápida.",
    "it": "Il prodotto è molto buono, ma la consegna non è stata veloce.",
    "nl": "Het product is goed, maar de levering was niet op tijd.",
    "pl": "Produkt jest dobry, ale dostawa nie była na czas.",
    "sv": "Produkten är bra, men den kom inte i tid och jag fick vänta.",
    "tr": "Ürün çok güzel ama kargo için bir hafta bekledim.",
    "ja": "配送がとても早くて、商品も気に入りました。",
    "zh": "物流很快，商品质量也不错，下次还会购买。",
    "ru": "Доставка была быстрой, но товар мне не понравился.",
    "el": "Η παράδοση ήταν γρήγορη αλλά το προϊόν δεν μου άρεσε.",
    "ar": "كان التوصيل سريعًا والمنتج جيد جدا.",
    "he": "המשלוח היה מהיר והמוצר טוב.",
    "th": "จัดส่งเร็วมากและสินค้าดี",
    "hi": "डिलीवरी तेज़ थी और उत्पाद अच्छा है।",
    "vi": "Sản phẩm rất tốt nhưng giao hàng không đúng hẹn.",
    "id": "Barang ini sangat bagus tetapi pengiriman tidak tepat waktu dan saya kecewa.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_has_its_language(language):
    assert guess_text(SENTENCES[language]) == language


def test_every_language_has_a_script():
    assert set(SENTENCES) == set(languages())
    assert script_of("ko") == "Hang" and script_of("en") == "Latn" and script_of("und") == ""
    assert all(script_of(language) for language in languages())


def test_a_text_with_too_little_is_undetermined():
    found = guess_column(pa.array(["", "!", "12:30", None, "Zxq", "ok 👍"]))

    assert found.to_pylist()[:3] == ["und"] * 3
    assert found.to_pylist()[3] is None
    assert found.to_pylist()[4] == "und"


def test_a_long_column_is_read_in_parts_as_its_texts_are(monkeypatch):
    monkeypatch.setattr("components._core.texts.code_points._MOST_BYTES", 100)
    column = pa.array([*SENTENCES.values(), None, ""])[1:]
    parts = list(read_column(column))

    assert len(parts) > 5
    assert sum(texts.count for _, texts in parts) == len(column)
    assert guess_column(column).to_pylist()[: len(SENTENCES) - 1] == list(SENTENCES)[1:]
    assert read_texts(column[3:6].to_pylist()).lengths.tolist() == [len(text) for text in column[3:6].to_pylist()]


def test_scripts_are_counted_by_letter():
    assert count_scripts(pa.array(["abc 12 가나", "Да"])) == {"Latn": 3, "Hang": 2, "Cyrl": 2}
