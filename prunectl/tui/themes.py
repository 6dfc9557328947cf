"""How style words look: dark, light, safe for colour-blind eyes, and without colour.

Series colours of the safe theme are those of Okabe and Ito (2008); every theme tells series apart
by dash and glyph too, and a status by its letter.
"""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style
from textual.theme import Theme

DEFAULT, MONO = "dark", "mono"
NAMES = ("dark", "light", "safe", "mono")

_WORDS = ("text", "dim", "faint", "strong", "good", "warn", "bad", "live", "bar", "cursor",
          "here")  # fmt: skip
_DARK_SERIES = (
    "#6cb6ff", "#ffb86b", "#7ee0a4", "#e58fd5", "#f2e06d", "#9d9bff", "#ff8f87", "#70dfe3",
)  # fmt: skip
_LIGHT_SERIES = (
    "#0a62c4", "#b35300", "#177a3f", "#a3248f", "#7d6a00", "#5a4fd0", "#c2302a", "#00757c",
)  # fmt: skip
_SAFE_SERIES = (
    "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#ffffff",
)  # fmt: skip
_COLOURS: dict[str, dict[str, str]] = {
    "dark": dict(zip(_WORDS, (
        "#d5dae3", "#8a93a3", "#3d4656", "bold #f2f5fa", "#7ee0a4", "#ffcf70", "#ff7b72",
        "#6cb6ff", "#6cb6ff", "#8a93a3", "bold #12161d on #6cb6ff",
    ), strict=True)),
    "light": dict(zip(_WORDS, (
        "#20262e", "#5d6773", "#b9c1cb", "bold #000000", "#177a3f", "#8a5a00", "#c2302a",
        "#0a62c4", "#0a62c4", "#5d6773", "bold #ffffff on #0a62c4",
    ), strict=True)),
    "safe": dict(zip(_WORDS, (
        "#dddddd", "#9a9a9a", "#4a4a4a", "bold #ffffff", "#56b4e9", "#f0e442", "#e69f00",
        "#ffffff", "#56b4e9", "#9a9a9a", "bold #101010 on #56b4e9",
    ), strict=True)),
    "mono": dict(zip(_WORDS, (
        "", "dim", "dim", "bold", "", "bold", "bold reverse", "bold", "", "dim", "reverse",
    ), strict=True)),
}  # fmt: skip
# A heat map's five shades, lowest first; those of the safe theme rise in lightness as cividis does.
_RAMP = {
    "dark": ("#d5dae3 on #1b2432", "#d5dae3 on #20395a", "#f2f5fa on #275184",
             "#ffffff on #2f6bb0", "bold #0b0f15 on #4f97dd"),
    "light": ("#20262e on #eef3f9", "#20262e on #d3e3f5", "#101418 on #acccee",
              "#000000 on #7fb2ea", "bold #ffffff on #3f83c9"),
    "safe": ("#ffffff on #00224e", "#ffffff on #35456c", "#ffffff on #5d616d",
             "#000000 on #a59c74", "bold #000000 on #fee838"),
    "mono": ("", "", "", "", "bold"),
}  # fmt: skip
_SERIES = {"dark": _DARK_SERIES, "light": _LIGHT_SERIES, "safe": _SAFE_SERIES, "mono": ("",) * 8}


def theme(name: str) -> Theme:
    """The Textual theme of a name."""
    ground = {
        "dark": ("#12161d", "#161b24", "#1d2430", "#6cb6ff", "#d5dae3"),
        "light": ("#fbfbfa", "#f2f3f4", "#e6e8eb", "#0a62c4", "#20262e"),
        "safe": ("#101010", "#161616", "#222222", "#56b4e9", "#dddddd"),
        "mono": ("#000000", "#000000", "#1c1c1c", "#ffffff", "#e4e4e4"),
    }[name]
    background, surface, panel, accent, foreground = ground
    return Theme(
        name=f"prunectl-{name}", primary=accent, accent=accent, background=background,
        surface=surface, panel=panel, foreground=foreground, dark=name != "light",
        success=_plain(name, "good"), warning=_plain(name, "warn"), error=_plain(name, "bad"),
        variables={
            "edge": {"dark": "#333c4b", "light": "#c3cad2"}.get(name, "#555555"),
            "block-cursor-background": panel if name != "mono" else "#e4e4e4",
            "block-cursor-foreground": foreground if name != "mono" else "#000000",
            "block-cursor-text-style": "bold",
        },
    )  # fmt: skip


@lru_cache(maxsize=256)
def style(name: str, word: str) -> Style:
    """How a style word looks in a theme; an unknown or empty word is plain text."""
    if word[:1] == "s" and word[1:].isdigit():
        return Style.parse(_SERIES[name][(int(word[1:]) - 1) % 8] or "none")
    if word[:1] == "h" and word[1:].isdigit():
        return Style.parse(_RAMP[name][(int(word[1:]) - 1) % 5] or "none")
    return Style.parse(_COLOURS[name].get(word or "text") or "none")


def _plain(name: str, word: str) -> str:
    colour = _COLOURS[name][word]
    return colour if colour.startswith("#") else "#e4e4e4"
