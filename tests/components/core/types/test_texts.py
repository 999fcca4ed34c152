from components._core.types.texts import is_unicode, shorten


def test_a_longer_text_is_cut() -> None:
    assert shorten("a" * 60) == "a" * 60
    assert shorten("a" * 61) == "a" * 60 + "..."
    assert shorten("abc", 2) == "ab..."


def test_half_of_a_surrogate_pair_is_no_unicode() -> None:
    assert is_unicode("é😀") and is_unicode("")
    assert not is_unicode("a\ud83d")
