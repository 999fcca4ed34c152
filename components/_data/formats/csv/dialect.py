"""How a CSV file is written: its compression, encoding, separator, quote, and the lines before its header.

What `data.csv` names is taken as it is; the rest is detected in the first bytes of a file, with Python alone: a run begins
with a preview, before anything heavy is imported.
"""

from __future__ import annotations

import csv as python_csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from components._core.errors import DataError
from components._core.project.table_config import Csv
from components._data.formats.columns import name_columns
from components._data.formats.compression import read_head
from components._data.formats.encoding import Encoding, decode, detect_encoding
from components._data.sources.contract import SpanFile

_ENCODING_BYTES = 1 << 20
_LAYOUT_CHARACTERS = 1 << 16
_MOST_ROWS = 200
_SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "'|'", " ": "blank"}
_COMMENT = "#"
_MOST_SHOWN = 3
_NAME_IT = "name the right one in data.csv.encoding (naru new --encoding)"
_ROW_NAMES = "the header has one name fewer than the rows have cells, as R's write.table: column 1, the rows' names, is read as 'index'"
_CONSISTENT, _ALMOST_ALL = 0.8, 0.95
"""Shares of rows with the table's number of cells: the least for a separator, and from which separators are equally good."""


@dataclass(frozen=True)
class Dialect:
    """How one file is written.

    Attributes:
        csv: CSV options, none of them left to detection.
        compression: Name of its compression; empty: none.
        is_undecided: Whether the encoding was detected from ASCII alone, so that a later byte may be of another one.
        found: What was detected of the encoding; None where the project names it.
        has_row_names: Whether rows have a cell more than the header, in front: a name of the row, as R writes it.
        unnamed: The names that columns without a name get, by the column's number.
    """

    csv: Csv
    compression: str = ""
    is_undecided: bool = False
    found: Encoding | None = None
    has_row_names: bool = False
    unnamed: tuple[tuple[int, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON."""
        csv = {name: getattr(self.csv, name) for name in Csv.model_fields}
        return {
            **{item.name: getattr(self, item.name) for item in fields(self)},
            "csv": csv,
            "found": self.found and asdict(self.found),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Dialect:
        """Convert from JSON."""
        found = raw["found"] and Encoding(**{**raw["found"], "readings": _pairs(raw["found"]["readings"])})
        parts = {"csv": Csv.model_construct(**raw["csv"]), "found": found, "unnamed": _pairs(raw["unnamed"])}
        return cls(**{**raw, **parts})

    @property
    def unusual(self) -> dict[str, object]:
        """The options that differ from comma-separated UTF-8 without lines before the header, as in `data.csv`."""
        usual = {"separator": ",", "encoding": "utf-8", "skip_lines": 0}
        return {
            name: value
            for name, value in self.csv.model_dump(exclude_defaults=True).items()
            if usual.get(name) != value
        }

    def describe(self) -> list[str]:
        """Describe what is unusual, in a few words each."""
        unusual = self.unusual
        lines = self.csv.skip_lines or 0
        quote = f"cells in {self.csv.quote}" if self.csv.quote else "no quotes"
        words = {
            "separator": f"separator: {SEPARATOR_NAMES.get(self.csv.delimiter, repr(self.csv.delimiter))}",
            "encoding": f"encoding: {self.csv.encoding}{self._doubt()}",
            "skip_lines": f"{lines} {'line' if lines == 1 else 'lines'} before the header skipped",
            "quote": quote,
        }
        names = [_ROW_NAMES] if self.has_row_names else []
        names += [f"column {place} has no name and is read as {name!r}" for place, name in self.unnamed[:_MOST_SHOWN]]
        return [*(text for name, text in words.items() if name in unusual), *filter(None, [self.compression]), *names]

    def show_texts(self) -> str:
        """Show some texts as the detected encoding reads them, so that a person sees whether it is right; empty: it is Unicode."""
        readings = self.found.readings if self.found and not self.found.is_doubtful else ()
        return f"it reads {readings[0][1]}" if readings and readings[0][1] else ""

    def check_encoding(self, file: str) -> None:
        """Refuse a file of which no encoding is likely: to guess would be to read other texts than were written.

        Args:
            file: Name of the file.

        Raises:
            DataError: With its words as some encodings read them.
        """
        if self.found is None or not self.found.is_unknown:
            return
        shown = "; ".join(f"{name}: {words}" for name, words in self.found.readings if words)
        message = f"its encoding is not clear; read as {shown}" if shown else "its encoding is none that is known here"
        raise DataError(message, where=file, remedy=_NAME_IT)

    def _doubt(self) -> str:
        if self.found is None or not self.found.is_doubtful:
            return ""
        first, *others = self.found.readings or (("", ""),)
        shown = "".join(f"; as {name} {words}" for name, words in others if words != first[1])
        return f" (a guess: {first[1]}{shown}; {_NAME_IT} if texts look wrong)"


def _pairs(raw: list[Any]) -> tuple[Any, ...]:
    return tuple(map(tuple, raw))


def detect_dialect(file: SpanFile, csv: Csv, first: Csv | None = None) -> Dialect:
    """Detect how a file is written.

    Args:
        file: The file.
        csv: The options that the project names.
        first: Options of the source's first file: separator and quote are the same in all files.
    """
    sample, compression = read_head(file, _ENCODING_BYTES)
    return _detect(sample, csv, first, compression)


def decide_encoding(dialect: Dialect, sample: bytes) -> Dialect:
    """Decide the encoding of a file whose beginning is ASCII by bytes that are not.

    Args:
        dialect: The dialect of the file.
        sample: Bytes of the file.
    """
    found = detect_encoding(sample)
    csv = dialect.csv.model_copy(update={"encoding": found.name})
    return replace(dialect, csv=csv, is_undecided=False, found=found)


def _detect(sample: bytes, csv: Csv, first: Csv | None, compression: str) -> Dialect:
    found = detect_encoding(sample)
    known = first.encoding if first else None
    if found.is_doubtful and known and known in dict(found.readings):
        found = Encoding(known)  # a file with few such texts is as the first one
    encoding = csv.encoding or found.name
    text = decode(sample, encoding).removeprefix("\ufeff")
    is_whole = len(sample) < _ENCODING_BYTES and len(text) <= _LAYOUT_CHARACTERS
    layout = _detect_layout(_lines(text[:_LAYOUT_CHARACTERS], is_whole), csv, first)
    values = {"separator": layout.separator, "quote": layout.quote, "encoding": encoding, "skip_lines": layout.skip}
    is_ours = not csv.encoding
    named = enumerate(zip(layout.header, name_columns(list(layout.header)), strict=True), 1)
    return Dialect(
        csv.model_copy(update=values),
        compression,
        found.is_ascii and is_ours,
        found if is_ours else None,
        layout.has_row_names,
        tuple((place, name) for place, (found_name, name) in named if not found_name and not layout.has_row_names),
    )


@dataclass(frozen=True)
class _Layout:
    """Separator, quote and lines before the header, and how well rows fit them."""

    separator: str
    quote: str
    skip: int
    width: int = 0
    consistency: float = 0.0
    header: tuple[str, ...] = ()
    has_row_names: bool = False

    @property
    def fit(self) -> tuple[bool, int]:
        return self.consistency >= _ALMOST_ALL, self.width


def _lines(text: str, is_whole: bool) -> list[str]:
    """Split a text into its physical lines, line ends included; a cut last line is left out."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    return lines if is_whole or len(lines) < 2 else lines[:-1]


def _detect_layout(lines: list[str], csv: Csv, first: Csv | None) -> _Layout:
    hint = re.fullmatch(r"sep=(.)", lines[0].strip("\r\n")) if lines else None  # as Excel writes and reads it
    start = _comments(lines) if csv.skip_lines is None else csv.skip_lines
    separators: Sequence[str] = _SEPARATORS
    if csv.separator or first:
        separators = [csv.separator or (first or csv).delimiter]
    elif hint:
        separators = [hint[1]]
    if hint and csv.skip_lines is None:
        start = 1
    quotes = _quotes(lines, csv, first)
    layouts = [_fit(lines, start, separator, quote, csv) for quote in quotes for separator in separators]
    good = [layout for layout in layouts if layout.width > 1]
    if not good and separators is _SEPARATORS:  # also between words: tried last, and only for rows that are all alike
        blanks = [_fit(lines, start, " ", quote, csv) for quote in quotes]
        good = [layout for layout in blanks if layout.width > 2 and layout.consistency == 1]
    default = _Layout(separators[0], csv.quote if not first else first.quote, start)
    return max(good, key=lambda layout: layout.fit, default=default)  # the first of equals


def _quotes(lines: list[str], csv: Csv, first: Csv | None) -> list[str]:
    """Return the quotes to try: `'` where the project names none, nothing is in `"`, and most texts are in `'`."""
    if first:
        return [first.quote]
    text = "".join(lines)
    if "quote" in csv.model_fields_set or '"' in text or text.count("'") < len(lines):
        return [csv.quote]
    enclosed = re.findall(r"(?<![^,;\t|\r\n])'(?:[^'\r\n]|'')*'(?![^,;\t|\r\n])", text)
    return ["'"] if "".join(enclosed).count("'") >= _ALMOST_ALL * text.count("'") else [csv.quote]


def _comments(lines: list[str]) -> int:
    """Return the number of lines before the first that is neither empty nor a comment; 0 without comments."""
    end = 0
    for number, line in enumerate(lines):
        if line.startswith(_COMMENT):
            end = number + 1
        elif line.strip():
            break
    return end if end < len(lines) else 0


def _fit(lines: list[str], start: int, separator: str, quote: str, csv: Csv) -> _Layout:
    """Fit a separator to a file's lines; its width is 0 where it does not separate them."""
    none = _Layout(separator, quote, start)
    rows = list(_rows(lines, start, separator, quote, csv))
    if not rows:
        return none
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    fixed = csv.skip_lines is not None
    at = 0 if fixed else _header_at([cells for _, cells in rows], [line for line, _ in rows], lines, width)
    table = [cells for _, cells in rows[at:]]
    has_row_names = _has_row_names(table, width, separator, [lines[line] for line, _ in rows[at + 1 :]], quote)
    if has_row_names:
        table[0] = ["", *table[0]]
    consistency = sum(len(cells) == width for cells in table) / len(table)
    if width < 2 or len(table[0]) != width or consistency < _CONSISTENT:
        return none
    skip, header = (start if at == 0 else rows[at][0]), tuple(table[0])
    if at == 0 and not fixed and not has_row_names and _is_commented_header(lines, start, table, separator):
        skip, header = start - 1, ()
    return _Layout(separator, quote, skip, width, consistency, header, has_row_names)


def _has_row_names(table: list[list[str]], width: int, separator: str, lines: list[str], quote: str) -> bool:
    """Return whether the first cells of the rows are their names, for which the header has none, as R's write.table writes them.

    A number such as `1,234` has a cell too many, too: where commas separate cells, the names must be in quotes, as R has them.
    """
    body = [cells for cells in table[1:] if len(cells) == width]
    if width < 3 or len(table[0]) != width - 1 or len(body) < 2 or len(body) < _ALMOST_ALL * len(table[1:]):
        return False
    names = {cells[0] for cells in body}
    if len(names) < len(body) or "" in names or not any(cells[-1].strip() for cells in body):
        return False
    return separator != "," or (bool(quote) and sum(line.startswith(quote) for line in lines) >= len(body))


def _rows(lines: list[str], start: int, separator: str, quote: str, csv: Csv) -> Iterator[tuple[int, list[str]]]:
    """Yield the first rows with the number of lines before each; empty lines and comments are none."""
    marks = {"delimiter": separator, "quotechar": quote or None, "escapechar": csv.escape or None}
    quoting = python_csv.QUOTE_MINIMAL if quote else python_csv.QUOTE_NONE
    kept = [
        (number, line)
        for number, line in enumerate(lines[start:], start)
        if not (csv.comment and line.startswith(csv.comment))
    ]
    reader = python_csv.reader([line for _, line in kept], **marks, quoting=quoting)  # type: ignore[arg-type]
    before = found = 0
    try:
        for cells in reader:
            if cells:
                yield kept[before][0], cells
                found += 1
            before = reader.line_num
            if found >= _MOST_ROWS:
                return
    except python_csv.Error:  # a cell longer than the module's limit, or a NUL
        return


def _header_at(rows: list[list[str]], starts: list[int], lines: list[str], width: int) -> int:
    """Return which row is the header: after lines of a title or of remarks, the first one of the table's width.

    Those have at most half of the table's cells, and the header has no number where the rows below it have some; else, as
    where a header lacks the name of R's row names, nothing is skipped.
    """
    at = next((number for number, cells in enumerate(rows) if len(cells) == width and _known(cells) > width // 2), 0)
    if not at or len(rows) < at + 2:
        return 0
    apart = any(not lines[line].strip() for line in range(starts[0], starts[at]))
    narrow = all(_known(cells) <= width // 2 and len(cells) <= width for cells in rows[:at])
    header, below = rows[at], rows[at + 1 :]
    is_named = len(set(header)) == width and _numbers(header) < max(map(_numbers, below)) + (not _numbers(header))
    return at if narrow and is_named and (width > 2 or apart) else 0


def _is_commented_header(lines: list[str], start: int, table: list[list[str]], separator: str) -> bool:
    """Return whether the last comment is the header, as in `#chromosome,position`: numbers follow where it has names."""
    if not start or not lines[start - 1].startswith(_COMMENT):
        return False
    names = lines[start - 1].strip("\r\n").split(separator)
    return len(names) == len(table[0]) and not _numbers(names) and _numbers(table[0]) > 0


def _known(cells: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _numbers(cells: list[str]) -> int:
    return sum(re.fullmatch(r"\s*[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?\s*", cell) is not None for cell in cells)
