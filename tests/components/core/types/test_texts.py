import pytest

from components._core.types.texts import is_unicode, is_visible, shorten, without_joiners


def test_a_longer_text_is_cut() -> None:
    assert shorten("a" * 60) == "a" * 60
    assert shorten("a" * 61) == "a" * 60 + "..."
    assert shorten("abc", 2) == "ab..."


def test_half_of_a_surrogate_pair_is_no_unicode() -> None:
    assert is_unicode("é😀") and is_unicode("")
    assert not is_unicode("a\ud83d")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "late",
        "caf\u00e9",
        "\ub098\uc774",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
        "\u2764\ufe0f\u200d\U0001f525",  # a heart on fire: the form of the first is chosen before the joiner
        "\U0001f469\U0001f3fd\u200d\u2695\ufe0f",  # a doctor with a tone of skin
        "\U0001f642\u200d\u2194\ufe0f",  # a head that shakes
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "\u0645\u06cc\u200c\u0634\u0648\u062f",  # Persian: it becomes
        "\u0647\u200d",  # Arabic: the initial form of a letter alone
        "\u0915\u094d\u200d\u0937",  # Hindi: two letters that are not joined into one
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3",  # Sinhala: Sri
        "\u09b0\u200d\u09cd\u09af",  # Bengali: the joiner stands before the virama
        "\u0d28\u0d4d\u200d",  # Malayalam: a letter by its older spelling, at the end
    ],
)
def test_a_text_of_any_script_is_visible(text: str) -> None:
    assert is_visible(text)


@pytest.mark.parametrize(
    "text",
    [
        "late\u200b",
        "late\u200d",
        "la\u200cte",
        "\u200dlate",
        "\u200d",
        "1\u200d2",
        "late\u00ad",
        "late\u2060",
        "\ufefflate",
        "late\u200e",
        "\u202elate",
        "\x00",
        "late\n",
        "a\ud83d",
        "\U0001f468\u200d\u200d\U0001f469",  # two in a row
        "\U0001f468\u200d",  # nothing to join
        "\U0001f468\u200d late",
        "\U0001f468\u200c\U0001f469",
        "\u0645\u06cc\u200c",  # parts nothing
        "late\U000e0067\U000e007f",  # tags without a flag
        "\U0001f3f4\U000e0067",  # without their end
    ],
)
def test_what_only_hides_is_found(text: str) -> None:
    assert not is_visible(text)


def test_joiners_are_taken_out() -> None:
    assert without_joiners("\U0001f468\u200d\U0001f469 \u06cc\u200c\u0634") == "\U0001f468\U0001f469 \u06cc\u0634"
