"""The colours of every page: one definition for the style sheet, the plots and the small pictures."""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1c2127",
    "muted": "#59636e",
    "rule": "#dde2e7",
    "faint": "#f5f7f9",
    "axis": "#8b949e",
    "link": "#0b5cad",
    "good": "#17703a",
    "care": "#875300",
    "bad": "#b3202a",
    "good-back": "#e6f4ea",
    "care-back": "#fdf2d8",
    "bad-back": "#fdeaea",
    "idle-back": "#eef1f4",
    "shade": "rgb(28 33 39 / 22%)",
    # Distinguishable with any kind of colour vision (after Okabe and Ito, darkened for contrast with the paper).
    "series-1": "#0072b2",
    "series-2": "#d55e00",
    "series-3": "#00835f",
    "series-4": "#b5588f",
    "series-5": "#8a6d00",
    "series-6": "#56789a",
}
"""Colour by name on light paper. A page in dark mode uses those of `DARK`."""

DARK = {
    "paper": "#14171b",
    "ink": "#e3e7eb",
    "muted": "#a0aab4",
    "rule": "#2e353d",
    "faint": "#1b2026",
    "axis": "#7d8792",
    "link": "#83b9f5",
    "good": "#6ccf8e",
    "care": "#e3b75c",
    "bad": "#ff938c",
    "good-back": "#173023",
    "care-back": "#352a12",
    "bad-back": "#3d1d1f",
    "idle-back": "#262c33",
    "shade": "rgb(0 0 0 / 60%)",
    "series-1": "#56b4e9",
    "series-2": "#ff9b54",
    "series-3": "#3ecf9a",
    "series-4": "#e59ac8",
    "series-5": "#d9c24a",
    "series-6": "#9fb6cd",
}

SERIES = tuple(colour for name, colour in LIGHT.items() if name.startswith("series-"))


def paint(name: str) -> str:
    """Return a colour for SVG: the page's, or that of light paper if the picture is shown alone."""
    return f"var(--{name}, {LIGHT[name]})"


def style_sheet() -> str:
    """Return the palette as CSS variables, light and dark."""
    return f":root {{ {_variables(LIGHT)} color-scheme: light dark; }}\n@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
