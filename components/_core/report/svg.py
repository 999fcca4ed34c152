"""Plots as markup that fits into a page: no ids that collide, no style that leaks, colours that follow the page.

Matplotlib writes a whole document. An element in an HTML page must not bring its own `<style>`, must not share an id
with the plot beside it, and should take its colours from the page, so that it reads in light and in dark.
"""

from __future__ import annotations

import hashlib
import math
import re
from xml.etree import ElementTree

from components._core.report.palette import SERIES, paint

INK = "#010203"
"""Drawn in this colour, it takes the colour of the page's text."""
MUTED = "#040506"
"""Drawn in this colour, it takes the colour of the page's secondary text."""
RULE = "#070809"
"""Drawn in this colour, it takes the colour of the axes."""
_SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset(
    [
        "svg",
        "g",
        "defs",
        "path",
        "use",
        "text",
        "tspan",
        "title",
        "desc",
        "clipPath",
        "rect",
        "line",
        "circle",
        "polygon",
    ]
)
_PAINT = {
    INK: "currentColor",
    MUTED: paint("muted"),
    RULE: paint("axis"),
    **{colour: paint(f"series-{number}") for number, colour in enumerate(SERIES, 1)},
}
_DOCUMENT = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)
_ROOT = re.compile(r"<svg\b[^>]*?viewBox=\"0 0 ([\d.]+) ([\d.]+)\"[^>]*>", re.DOTALL)
_FONT = re.compile(r"font-family: [^;\"<]*;? ?|font: (?P<size>[\d.]+px) [^;\"<]*")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_ID = re.compile(r' ?\bid="([^"<]+)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^")<]+)')
_ATTRIBUTE = re.compile(r' (?:d|x|y|width|height|transform|style)="[^"<]*"')
_GROUP = re.compile(r"<g>|<g [^>]*>|</g>")


def embed(document: str, grow: float = 1.0) -> str:
    """Turn Matplotlib's SVG document into an `<svg>` element for a page.

    Args:
        document: Output of `savefig`, drawn in the colours of this module.
        grow: How many times larger than drawn it may become where there is room; above 1 it takes a row of its own.

    Returns:
        The element: `role="img"`, as wide as its column and no wider than it was drawn (units are pixels) times `grow`,
        its ids prefixed with a digest of its content.
    """
    body = _DOCUMENT.sub("", document)
    body = _ROOT.sub(lambda found: _root(found, grow), body, count=1)
    body = _ATTRIBUTE.sub(_attribute, body)
    body = prefix_ids(body, "p" + hashlib.sha256(body.encode("utf-8")).hexdigest()[:10])
    return re.sub(
        r"<defs>\s*</defs>|\s*\n\s*", lambda found: "" if found[0].startswith("<") else "\n", _ungroup(body)
    ).strip()


def prefix_ids(svg: str, prefix: str) -> str:
    """Prefix the ids that are referred to, and drop the others, so that no two plots in a page share one."""
    wanted = {name for _, name in _REFERENCE.findall(svg)}
    svg = _ID.sub(lambda found: f' id="{prefix}-{found[1]}"' if found[1] in wanted else "", svg)
    return _REFERENCE.sub(lambda found: f"{found[1]}{prefix}-{found[2]}", svg)


def _attribute(found: re.Match[str]) -> str:
    """Rewrite one attribute with short numbers, the page's fonts and colours; text between tags is not touched."""
    value = _LONG_NUMBER.sub(r"\1", found[0])
    value = _FONT.sub(lambda font: f"font-size: {font['size']}" if font["size"] else "", value)
    for colour, painted in _PAINT.items():
        value = value.replace(colour, painted)
    return value


def _ungroup(svg: str) -> str:
    """Drop the groups that carry nothing; Matplotlib nests four around every tick."""
    open_groups: list[bool] = []

    def kept(found: re.Match[str]) -> str:
        if found[0] == "</g>":
            return found[0] if open_groups.pop() else ""
        open_groups.append(found[0] != "<g>")
        return found[0] if open_groups[-1] else ""

    return _GROUP.sub(kept, svg)


def _root(found: re.Match[str], grow: float) -> str:
    width, height = float(found[1]), float(found[2])
    wide = 'class="wide" ' if grow > 1 else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'{wide}viewBox="0 0 {width:g} {height:g}" style="width: 100%; max-width: {width * grow:g}px; '
        f'stroke-linejoin: round; stroke-linecap: butt">'
    )


def label(svg: str, escaped: str) -> str:
    """Add an accessible name to a drawing; the text must be escaped for an attribute."""
    return svg.replace("<svg ", f'<svg aria-label="{escaped}" ', 1)


def width_of(svg: str) -> float:
    """Return the width that an SVG was drawn for, in pixels; infinity if it has none."""
    found = re.search(r'<svg\b[^>]*? viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ', svg)
    return float(found[1]) if found else math.inf


def is_plain(svg: object) -> bool:
    """Return whether it is one SVG element that only draws: known elements, no script, no handler, no external address."""
    if not isinstance(svg, str) or "<!" in svg or "<?" in svg:
        return False
    try:
        root = ElementTree.fromstring(svg)  # noqa: S314 - what could define an entity was refused above
    except (ElementTree.ParseError, UnicodeEncodeError):
        return False
    return root.tag == f"{_SVG}svg" and all(_draws(element) for element in root.iter())


def _draws(element: ElementTree.Element) -> bool:
    named = isinstance(element.tag, str) and element.tag.removeprefix(_SVG) in _ELEMENTS
    return named and not any(_acts(name, value) for name, value in element.attrib.items())


def _acts(name: str, value: str) -> bool:
    local = name.rpartition("}")[2].lower()
    leads_out = local == "href" and not value.startswith("#")
    addresses = re.findall(r"url\(\s*['\"]?(.)", value, re.IGNORECASE)
    return local.startswith("on") or leads_out or any(first != "#" for first in addresses) or "\\" in value
