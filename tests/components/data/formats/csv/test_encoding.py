"""Encodings are recognised by rules, and what is not valid is set aside with its line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from components._core.errors import DataError
from components._data.formats.csv import blocks, dialect, encoding
from components._data.formats.csv.encoding import Utf8Stream, detect_encoding
from tests.components.data.formats.csv.ingest_csv import ingest, ingest_files, quarantined

KOREAN = "고객번호,지역,이탈 여부\n" + "".join(
    f"{n},{'서울부산'[n % 2 * 2 :][:2]},{'예' if n % 3 else '아니오'}\n" for n in range(90)
)
TEXTS = {
    "cp949": KOREAN,
    "cp1252": "Straße;Preis\n" + "Münchner Straße;£3\nKönigsallee;25 °C\n" * 40,
    "cp1250": "miasto,y\n" + "Łódź,1\nWrocław,0\nGdańsk,1\nśląskie,0\n" * 20,
    "cp1251": "город,y\n" + "Москва,1\nКазань,0\nНижний Новгород,1\n" * 20,  # noqa: RUF001 - Cyrillic and Greek
    "cp1253": "πόλη,y\n" + "Αθήνα,1\nΠάτρα,0\nΘεσσαλονίκη,1\n" * 20,  # noqa: RUF001 - Cyrillic and Greek
    "utf-16-le": KOREAN,
    "utf-16-be": "a;b\n" + "1;ü\n" * 20,
    "utf-8": KOREAN,
}
OTHERS = {
    "French": "prénom,y\n" + "Hélène,1\nFrançois,0\nZoé,1\n" * 20,
    "pounds": "price,y\n" + "£3,1\n£4,0\n" * 20,
    "degrees": "t,y\n" + "25°C,1\n26°C,0\n" * 20,  # °C is valid cp949
    "powers": "m³,°C,y\n" + "1,2,3\n" * 20,
}


@pytest.mark.parametrize("name", TEXTS)
def test_an_encoding_is_recognised_by_its_text(name: str) -> None:
    assert detect_encoding(TEXTS[name].encode(name)).name == name
    assert detect_encoding(TEXTS[name].encode(name)[:121]).name == name  # a cut character


@pytest.mark.parametrize("name", OTHERS)
def test_latin_text_is_not_taken_for_another(name: str) -> None:
    assert detect_encoding(OTHERS[name].encode("cp1252")).name == "cp1252"


def test_a_byte_order_mark_says_the_encoding_and_ascii_says_none() -> None:
    assert [detect_encoding("x,y\n".encode(name)).name for name in ("utf-8-sig", "utf-16", "utf-32")] == [
        "utf-8", "utf-16-le", "utf-32-le",
    ]  # fmt: skip
    assert detect_encoding(b"x,y\n1,2\n").is_ascii


@pytest.mark.parametrize("name", ["cp949", "utf-8"])
def test_some_damaged_bytes_do_not_make_it_another_encoding(name: str) -> None:
    whole = KOREAN.encode(name)
    assert detect_encoding(whole[:300] + b"\xff" + whole[300:]).name == name


@pytest.mark.parametrize("text", ["都市,y\n東京,1\n大阪,0\nひらがな,1\n" * 9, "город,y\nМосква,1\n" * 9])  # noqa: RUF001 - Cyrillic and Greek
def test_a_script_without_a_rule_is_doubtful(text: str) -> None:
    name = "cp932" if "都" in text else "koi8-r"
    assert detect_encoding(text.encode(name)).is_doubtful


@pytest.mark.parametrize("name", ["cp949", "utf-16-le", "cp1251"])
@pytest.mark.parametrize("count", [1, 7, 1 << 20])
def test_a_text_is_converted_in_parts_of_any_size(name: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_CHUNK_BYTES", 5)  # cuts characters
    text = "가,é\n" * 9 if name == "utf-16-le" else TEXTS.get(name, KOREAN)
    stream, parts = Utf8Stream(io.BytesIO(text.encode(name)), name), []
    while part := stream.read(count):
        parts.append(part)
    assert b"".join(parts).decode() == text and all(len(part) == count for part in parts[:-1])


@pytest.mark.parametrize("name", ["cp949", "utf-8", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_with_bytes_that_are_not_valid_is_set_aside_with_its_line(name: str, quote: str, tmp_path: Path) -> None:
    word = {"cp949": "서울", "cp1252": "Größe"}.get(name, "값 Größe")
    rows = [f"{n},{quote}{word}{quote},{n % 5}\n" for n in range(60)]
    wrong, shown = {
        "cp949": (b"\xff", "ff"), "utf-8": (b"\xc3", "c3"), "utf-16-le": (b"\x00\xdc", "00"), "cp1252": (b"\x81", "81"),
    }[name]  # fmt: skip
    lines = [row.encode(name) for row in ["x,w,y\n", *rows]]
    lines[40] = "39,".encode(name) + wrong + ",1\n".encode(name)
    encoded = {"csv": {"encoding": name}} if name == "cp1252" else {}
    outcome, read = ingest(tmp_path, b"".join(lines), quarantine_limit=0.1, **encoded)
    (row,) = quarantined(tmp_path)
    assert row["line"] == 41 and f"contains bytes that are not {name}: 0x{shown}" in row["reason"]
    assert set(read["w"].to_pylist()) == {word} and read.num_rows == 59
    assert outcome.metrics["quarantined"] == 1


def test_an_encoding_that_shows_late_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr(dialect, "_ENCODING_BYTES", 1 << 12)
    ascii_rows = "".join(f"{n},plain,{n % 9}\n" for n in range(3_000))
    late = "".join(f"{n},{'서울 강남'},{n % 9}\n" for n in range(90))
    outcome, read = ingest(tmp_path, ("x,w,y\n" + ascii_rows + late).encode("cp949"))
    assert read["w"].to_pylist().count("서울 강남") == 90 and read.num_rows == 3_090
    assert "encoding: cp949" in outcome.reason and outcome.metrics["quarantined"] == 0


def test_each_file_of_a_source_has_its_own_encoding(tmp_path: Path) -> None:
    for span, name in enumerate(["cp949", "utf-8", "utf-16", "ascii"], 1):
        word = "plain" if name == "ascii" else "서울"
        rows = "".join(f"{span}{n},{word},{n % 5}\n" for n in range(20))
        (tmp_path / f"t-{span}.csv").write_bytes(f"x,w,y\n{rows}".encode(name))
    outcome, read = ingest_files(tmp_path, "t-{span}.csv")
    assert read["w"].to_pylist().count("서울") == 60 and read.num_rows == 80
    assert "encoding: cp949 (1 of 4 files), encoding: utf-16-le (1 of 4 files)" in outcome.reason


def test_a_named_encoding_is_used_and_a_wrong_one_is_reported_with_the_remedy(tmp_path: Path) -> None:
    text = "x,w,y\n" + "".join(f"{n},Děčín,{n % 5}\n" for n in range(60))
    _, read = ingest(tmp_path / "a", text.encode("cp1250"), csv={"encoding": "cp1250"})
    assert set(read["w"].to_pylist()) == {"Děčín"}
    with pytest.raises(
        DataError, match=r"line 2: 60 of 60 rows cannot be read(.|\n)*contains bytes that are not utf-8: 0xec"
    ):
        ingest(tmp_path / "b", text.encode("cp1250"), csv={"encoding": "utf-8"})
    with pytest.raises(
        DataError, match=r"t\.csv: the header is not valid utf-8\n  -> name the encoding(.|\n)*--encoding"
    ):
        ingest(tmp_path / "c", "Größe,y\n1,2\n".encode("cp1252"), csv={"encoding": "utf-8"})
