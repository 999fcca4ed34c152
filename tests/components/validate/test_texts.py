"""Texts: each kind of finding on a fault that was put in, and none where there is no fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.texts.faults import FAULTS, false_alarms, measure_fault, measure_unseen_words
from benchmarks.texts.made import english, korean
from benchmarks.texts.measured_examples import Sample, check, in_splits, write_examples
from components._core.checks import Check, Outcome
from components._core.project.project_file import Project, parse_project
from components._core.store.ledger import Deployment
from components._core.texts.code_points import read_texts
from components.validate.texts import vocabulary
from components.validate.texts.text_checks import TEXT_KINDS, TextFindings
from components.validate.texts.vocabulary import Vocabulary, WordCounter, words_of
from components.validate.validate import validate_examples


def by_kind(found: TextFindings) -> dict[str, Check]:
    return {each.name.removesuffix(": text").replace(" ", "_"): each for each in found.checks}


def test_each_kind_has_a_check_and_clean_texts_pass_it(tmp_path):
    found = check(write_examples(in_splits(english(300, 3), 3), tmp_path))

    assert {*by_kind(found)} == {*TEXT_KINDS}
    assert {each.status for each in found.checks if each.name != "unseen words: text"} == {"pass"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
@pytest.mark.parametrize("name", ["english", "korean"])
def test_a_fault_is_found(fault, name):
    found = measure_fault(fault, name, 150)

    assert found["warned"] and found["precision"] >= 0.95 and found["recall"] >= 0.9


@pytest.mark.slow  # the same at more size is in `make bench-texts`
@pytest.mark.parametrize("name", ["english", "korean", "documentation"])
def test_clean_draws_have_no_finding(name):
    assert false_alarms(name, 600, 5) == []


def test_texts_of_another_kind_have_unseen_words():
    found = measure_unseen_words("english", 400)

    assert found["warned"] and found["unseen"] > found["bound"]


def test_a_set_of_several_languages_has_no_usual_one(tmp_path):
    found = check(write_examples(in_splits([*english(150, 1), *korean(150, 1)], 1), tmp_path))

    assert by_kind(found)["texts_of_another_language"].status == "pass"
    assert "no language is that of most" in by_kind(found)["texts_of_another_language"].reason


def test_a_bound_and_a_policy_decide(tmp_path):
    samples = [*in_splits(english(200, 5), 5), Sample("call 010-1234-5678", "a", "train")]
    examples = write_examples(samples, tmp_path)

    assert by_kind(check(examples))["personal_data"].status == "warn"
    assert by_kind(check(examples, personal_data=0.1))["personal_data"].status == "pass"


def test_the_vocabulary_survives_the_file_and_tells_expected_words(tmp_path):
    counter = WordCounter()
    words, _ = words_of(read_texts(english(2_000, 1)))
    counter.add(words)
    known = counter.vocabulary()
    vocabulary.save({"a": known, "b": Vocabulary(known.words[:5], 0.25)}, tmp_path)
    read = vocabulary.parse((tmp_path / vocabulary.FILE).read_bytes())

    assert read["a"].words.tolist() == known.words.tolist() and read["a"].expected == known.expected
    assert len(read["b"].words) == 5 and read["b"].expected == 0.25
    same, _ = words_of(read_texts(english(500, 2)))
    assert known.unseen(same) / len(same) == pytest.approx(known.expected, abs=0.005)
    other, _ = words_of(read_texts(korean(500, 2)))
    assert known.unseen(other) == len(other)
    with pytest.raises(ValueError, match="not a vocabulary"):
        vocabulary.parse(b"x")


def test_the_vocabulary_is_bounded(monkeypatch):
    monkeypatch.setattr(vocabulary, "_MOST_COUNTED", 200)
    monkeypatch.setattr(vocabulary, "_PENDING", 100)
    monkeypatch.setattr(vocabulary, "MOST_WORDS", 50)
    counter, whole = WordCounter(), WordCounter()
    for start in range(0, 200, 10):
        words, _ = words_of(read_texts([f"common{n % 7} rare{n} rare{n}x" for n in range(start, start + 10)]))
        counter.add(words)
        whole.add(words)

    assert len(counter.vocabulary().words) <= 50
    assert counter.vocabulary().unseen(words_of(read_texts([f"common{n}" for n in range(7)]))[0]) == 0
    assert counter.vocabulary().expected == pytest.approx(400 / 600)


def test_a_word_counts_once_a_text_and_scripts_without_spaces_by_pairs():
    words, owners = words_of(read_texts(["good good", "GOOD", "배송이 배송은 배송", "北京上海", "", "x"]))

    assert owners.tolist().count(0) == 1 and owners.tolist().count(1) == 1
    assert len({word for word, owner in zip(words, owners, strict=True) if owner < 2}) == 1
    assert owners.tolist().count(2) == 1
    assert owners.tolist().count(3) == 3


def project(folder: Path, **texts: object) -> Project:
    data = {
        "source": str(folder / "texts.parquet"),
        "exclude": ["row", "part"],
        "texts": {"columns": ["text"], **texts},
    }
    return parse_project({"name": "texts", "task": "multiclass_classification", "label": "label", "data": data})


def validate(folder: Path, examples: Path, champion: str = "none") -> tuple[Outcome, str]:
    parts = {name: folder / name for name in ("statistics", "schema", "validation")}
    for path in parts.values():
        path.mkdir()
    outcome = validate_examples(
        project(folder),
        champion=champion,
        code=folder / "no-code",
        examples=examples,
        page=folder / "page.html",
        **parts,
    )
    return outcome, (folder / "page.html").read_text()


def test_the_stage_checks_texts_and_shows_them_masked(tmp_path, monkeypatch):
    monkeypatch.setattr("components.validate.dataset_schema.read_reviewed", lambda *_: None)
    secret = "hong.gildong@example.com"
    odd = [f"{text} {secret}" for text in english(6, 77)] + [
        "<script>alert(1)</script> <b>bold</b>",
        "\ufffd\ufffd broken",
        "",
    ]
    samples = [*in_splits(english(400, 8), 8), *in_splits(odd, 9)]
    outcome, page = validate(tmp_path, write_examples(samples, tmp_path))
    checks = {each.name: each for each in outcome.checks}

    assert checks["personal data: text"].status == "warn" and "mail in 6" in checks["personal data: text"].reason
    assert secret not in page and "[mail]" in page
    assert secret not in json.dumps([each.reason for each in outcome.checks])
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert "natural_language_domain" in (tmp_path / "schema" / "schema.pbtxt").read_text()
    assert vocabulary.parse((tmp_path / "statistics" / vocabulary.FILE).read_bytes())["text"].words.size > 100
    assert "text.characters (measured)" in page


def test_the_champions_vocabulary_and_statistics_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr("components.validate.dataset_schema.read_reviewed", lambda *_: None)
    before = tmp_path / "before"
    validate(before, write_examples(in_splits(english(300, 1), 1), before))
    champion = Deployment.__new__(Deployment)
    for name, value in {"version": "7", "statistics": str(before / "statistics"), "registration_sha256": ""}.items():
        object.__setattr__(champion, name, value)
    monkeypatch.setattr("components.validate.validate.resolve_champion", lambda *_: champion)
    monkeypatch.setattr("components.validate.validate.check_spans", lambda *_: [])
    monkeypatch.setattr("components.validate.comparisons.check_content", lambda *_: None)
    after = tmp_path / "after"
    outcome, _ = validate(after, write_examples(in_splits(korean(300, 1), 1), after))
    checks = {each.name: each for each in outcome.checks}

    assert checks["unseen words: text"].status == "warn" and "against champion 7" in checks["unseen words: text"].reason
    drift = "drift against the data of champion 7: text"
    assert checks[f"{drift}.language"].status == "warn" and checks[f"{drift}.characters"].status == "warn"
    assert drift not in checks


def test_an_excerpt_is_bounded_and_on_one_line():
    from components.validate.texts.text_excerpts import LONGEST, excerpt

    assert excerpt("a\x00b\n\tc\u202ed") == "a\N{SYMBOL FOR SUBSTITUTE}b c\N{SYMBOL FOR SUBSTITUTE}d"
    assert len(excerpt("word " * 10_000)) <= LONGEST + 3
    assert "[mail]" in excerpt("word " * 100 + "a@example.com", "personal_data")
    assert excerpt("word " * 100 + "<b>x</b>", "texts_with_markup").startswith("...")
    assert excerpt("call +82 10 1234 5678") == "call [phone]"
