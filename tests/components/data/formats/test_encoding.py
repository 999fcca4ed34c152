"""Encodings are recognised by rules, and what is not valid is set aside with its line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from components._core.errors import DataError
from components._data.formats import encoding
from components._data.formats.csv import blocks, dialect
from components._data.formats.encoding import Utf8Stream, detect_encoding
from tests.components.data.formats.csv.ingest_csv import ingest, ingest_files, quarantined

KOREAN = "고객번호,지역,이탈 여부\n" + "".join(
    f"{n},{'서울부산'[n % 2 * 2 :][:2]},{'예' if n % 3 else '아니오'}\n" for n in range(90)
)
# fmt: off
TEXTS = {
    "cp949": [KOREAN, "x,y\n" + "1,예\n2,아니오\n" * 20, "x,이탈\n" + "1,유지\n2,해지\n" * 20],
    "cp932": [
        "都市,y\n" + "東京,1\n大阪,0\nひらがな,1\n" * 9, "氏名,地域,y\n" + "田中,東京,1\n佐藤,大阪,0\n鈴木,名古屋,1\n" * 9,
        "ナマエ,y\n" + "スズキ,1\nサトウ,0\n" * 9,
    ],
    "euc_jp": ["都市,y\n" + "東京,1\n大阪,0\nひらがな,1\n" * 9],
    "gb18030": [
        "城市,y\n" + "北京,1\n上海,0\n广州,1\n深圳,0\n" * 9, "姓名,性别,是否流失\n" + "王伟,男,是\n李娜,女,否\n张敏,女,是\n" * 9,
        "x,y\n" + "1,是\n2,否\n" * 20,
    ],
    "big5": ["城市,y\n" + "台北,1\n高雄,0\n臺中,1\n" * 9],
    "cp1252": [
        "Straße;Preis\n" + "Münchner Straße;£3\nKönigsallee;25 °C\n" * 40, "ciudad,y\n" + "Málaga,1\nCórdoba,0\nLogroño,1\n" * 20,
        "by,y\n" + "København,1\nÅrhus,0\nNæstved,1\n" * 20, "cidade,y\n" + "São Paulo,1\nBrasília,0\nGoiânia,1\n" * 20,
        "borg,y\n" + "Þorlákshöfn,1\nHafnarfjörður,0\nSauðárkrókur,1\n" * 20,
    ],
    "cp1250": [
        "miasto,y\n" + "Łódź,1\nWrocław,0\nGdańsk,1\nśląskie,0\n" * 20, "mesto,y\n" + "Děčín,1\n" * 20,
        "město,y\n" + "Děčín,1\nPříbram,0\nČeské Budějovice,1\nPlzeň,2\n" * 20,
        "város,y\n" + "Győr,1\nSzékesfehérvár,0\nHódmezővásárhely,1\nPécs,0\n" * 20,
        "grad,y\n" + "Čakovec,1\nŠibenik,0\nPožega,1\nVaraždin,1\nPoreč,2\n" * 20, "judet,y\n" + "Bacău,1\nIaşi,0\nTimişoara,1\n" * 20,
    ],
    "cp1254": ["şehir,y\n" + "İstanbul,1\nEskişehir,0\nMuğla,1\nÇanakkale,1\nDiyarbakır,0\n" * 20],  # noqa: RUF001 - Turkish
    "cp1251": [
        "city,y\n" + "Москва,1\nКазань,0\nНижний Новгород,1\n" * 20, "x,y\n" + "1,да\n2,нет\n" * 20,  # noqa: RUF001 - Cyrillic
        "ГОРОД,y\n" + "МОСКВА,1\nКАЗАНЬ,0\nНОВГОРОД,1\n" * 20,  # noqa: RUF001 - Cyrillic
    ],
    "koi8-r": [
        "город,y\n" + "Москва,1\nКазань,0\nНижний Новгород,1\n" * 20, "x,y\n" + "1,да\n2,нет\n" * 20,  # noqa: RUF001 - Cyrillic
        "ГОРОД,y\n" + "МОСКВА,1\nКАЗАНЬ,0\nНОВГОРОД,1\n" * 20,  # noqa: RUF001 - Cyrillic
    ],
    "cp866": ["город,y\n" + "Москва,1\nКазань,0\n" * 20],  # noqa: RUF001 - Cyrillic
    "cp1253": ["πόλη,y\n" + "Αθήνα,1\nΠάτρα,0\nΘεσσαλονίκη,1\n" * 20],  # noqa: RUF001 - Greek
    "cp1255": ["עיר,y\n" + "תל אביב,1\nירושלים,0\n" * 9],  # noqa: RUF001 - Hebrew, Arabic
    "cp1256": ["مدينة,y\n" + "القاهرة,1\nبغداد,0\n" * 9],  # noqa: RUF001 - Hebrew, Arabic
    "utf-16-le": [KOREAN],
    "utf-16-be": ["a;b\n" + "1;ü\n" * 20],
    "utf-8": [KOREAN],
}
OTHERS = {
    "French": "prénom,y\n" + "Hélène,1\nFrançois,0\nZoé,1\n" * 20,
    "pounds": "price,y\n" + "£3,1\n£4,0\n" * 20,
    "degrees": "t,y\n" + "25°C,1\n26°C,0\n" * 20,  # °C is valid cp949
    "powers": "m³,°C,y\n" + "1,2,3\n" * 20,
}
# fmt: on


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_an_encoding_is_recognised_by_its_text(name: str, text: str) -> None:
    for sample in (text.encode(name), text.encode(name)[:121]):  # a cut character
        found = detect_encoding(sample)
        assert (found.name, found.is_doubtful) == (name, False)


@pytest.mark.parametrize("name", TEXTS)
def test_a_sure_reading_is_never_a_wrong_one_however_few_rows_there_are(name: str) -> None:
    for text in TEXTS[name]:
        header, *rows = text.splitlines(keepends=True)
        for row in sorted(set(rows)):
            sample = (header + row).encode(name)
            found = detect_encoding(sample)
            assert found.is_doubtful or sample.decode(found.name) == header + row, (header, row)


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


def test_what_several_encodings_read_well_is_a_guess_that_shows_them(tmp_path: Path) -> None:
    text = "prénom,x,y\n" + "".join(f"{word},{n},{n % 5}\n" for n in range(40) for word in ("Hélène", "Zoé"))
    outcome, read = ingest(tmp_path, text.encode("cp1252"))
    assert (
        "encoding: cp1252 (a guess: 'prénom', 'Hélène', 'Zoé'; as cp1250 'prénom', 'Hélčne', 'Zoé'; name"
        in outcome.reason
    )
    assert set(read["prénom"].to_pylist()) == {"Hélène", "Zoé"}


@pytest.mark.parametrize("late", [False, True])
def test_what_no_encoding_is_likely_for_is_refused_with_its_texts_and_the_option(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "_ENCODING_BYTES", 1 << 10)
    before = "".join(f"plain,{n},{n}\n" for n in range(400)) if late else ""
    text = f"x,n,y\n{before}" + "".join(f"Қазақ,{n},1\nҒҰҚ,{n},0\n" for n in range(40))
    with pytest.raises(DataError, match=r"t\.csv: its encoding is n(.|\n)*data\.csv\.encoding \(naru new --encoding\)"):
        ingest(tmp_path / "a", text.encode("ptcp154"))
    _, read = ingest(tmp_path / "b", text.encode("ptcp154"), csv={"encoding": "ptcp154"})
    assert "Қазақ" in read["x"].to_pylist()


def test_a_later_file_with_few_texts_is_read_as_the_first(tmp_path: Path) -> None:
    words = "Děčín Příbram České_Budějovice Plzeň".split()
    rows = "".join(f"{words[n % 4]},{n},{n % 5}\n" for n in range(80))
    (tmp_path / "t-1.csv").write_bytes(f"město,x,y\n{rows}".encode("cp1250"))
    (tmp_path / "t-2.csv").write_bytes("město,x,y\nKč,1,1\n".encode("cp1250"))
    outcome, read = ingest_files(tmp_path, "t-{span}.csv")
    assert {"Děčín", "Kč"} < set(read["město"].to_pylist())
    assert "it reads 'město', 'Děčín', 'Příbram'" in outcome.reason


@pytest.mark.parametrize("name", ["cp949", "utf-16-le", "cp1251", "gb18030", "cp932"])
@pytest.mark.parametrize("count", [1, 7, 1 << 20])
def test_a_text_is_converted_in_parts_of_any_size(name: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_CHUNK_BYTES", 5)  # cuts characters
    text = "가,é\n" * 9 if name == "utf-16-le" else TEXTS[name][0]
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
