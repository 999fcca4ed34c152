"""Clean texts: reviews in English and Korean made of many parts, and paragraphs of the documentation that Python ships."""

from __future__ import annotations

import importlib
import inspect
import itertools
import random
import re
from collections import Counter
from collections.abc import Callable
from functools import cache

_EN_THINGS = "the battery,this jacket,the hotel room,our waiter,the blender,the second chapter,the keyboard,the soup,their support team,the delivery,the screen,the mattress,the guide,the zip,the coffee,the seat,the manual,the paint,the speaker,the tent,the train,the camera strap,the garden hose,the frying pan,the printer,the backpack,the cinema,the dessert,the insurance,the router".split(
    ","
)
_EN_DID = "was better than I had expected,stopped working after a week,looks exactly like the picture,felt cheap and rather thin,made the whole trip easier,arrived two days late,is still fine after a month of use,smelled odd when we opened the box,could not have been friendlier,was too loud for a small flat,did what it promised,needs a firmer hand,broke on the first cold day,is worth every penny,left a mark on the floor,was cleaned while we were out,turned out to be the wrong size,saved us an hour each morning,does not fit into the drawer,was hard to put together,held up in heavy rain,kept its colour after washing,ran out by noon,was replaced without any questions".split(
    ","
)
_EN_WHEN = "on a rainy weekend,after work,for my sister,during the holidays,in the second week,at the end of March,while travelling with children,for the new office,on the way home,before the guests came,with an old adapter,in a cold kitchen,by candlelight,without reading the instructions,in a hurry".split(
    ","
)
_EN_WHY = "because the price was right,since a friend had told me about it,although the reviews were mixed,and I would buy it again,but I am not sure about the size,so we sent it back,which surprised all of us,as the shop next door was closed,and nobody complained,even if it is not the cheapest,though my husband disagrees,because nothing else was left,so I am giving it four stars,and the colour suits the wall".split(
    ","
)
_EN_OPEN = "Honestly,To be fair,In short,For me,Compared with the old one,All things considered,At first,A small warning,As a gift,Once more,On the whole,Out of curiosity".split(
    ","
)
_KO_THINGS = "배터리,재킷,호텔 방,직원,믹서기,두 번째 장,키보드,국물,상담원,배송,화면,매트리스,설명서,지퍼,커피,좌석,의자,페인트,스피커,텐트,열차,카메라,호스,프라이팬,프린터,배낭,영화관,디저트,보험,공유기,냉장고,이어폰".split(
    ","
)
_KO_DID = "기대한 것보다 훨씬 좋았습니다,일주일 만에 고장이 났어요,사진과 똑같이 생겼네요,얇고 값싼 느낌이 들었습니다,여행 내내 큰 도움이 되었어요,이틀이나 늦게 도착했습니다,한 달을 써도 멀쩡합니다,상자를 열자 이상한 냄새가 났어요,더없이 친절했습니다,작은 집에는 너무 시끄러웠어요,약속한 만큼은 해 줍니다,손에 힘을 더 주어야 합니다,첫 추위에 부러졌어요,값이 아깝지 않았습니다,바닥에 자국을 남겼습니다,외출한 사이에 청소되어 있었어요,알고 보니 크기가 달랐습니다,아침마다 한 시간을 아껴 줍니다,서랍에 들어가지 않네요,조립하기가 꽤 어려웠습니다,폭우에도 잘 버텼어요,빨아도 색이 그대로입니다,점심때 이미 떨어졌습니다,묻지도 않고 바꿔 주었어요".split(
    ","
)
_KO_WHEN = "비 오는 주말에,퇴근하고 나서,여동생에게 주려고 샀는데,연휴 동안,둘째 주에,삼월 말에,아이들과 여행하면서,새 사무실에서,집으로 돌아오는 길에,손님이 오기 전에,오래된 어댑터로,추운 부엌에서,설명서를 읽지 않고,급하게 쓰다 보니,처음 며칠은".split(
    ","
)
_KO_WHY = "가격이 괜찮아서 골랐습니다,친구가 알려 줘서 알게 됐어요,후기는 엇갈렸지만 믿어 봤습니다,다음에도 살 생각입니다,크기는 아직 모르겠어요,결국 반품했습니다,모두가 놀랐습니다,옆 가게가 닫혀 있어서 어쩔 수 없었어요,아무도 불평하지 않았습니다,가장 싼 것은 아니지만요,남편은 생각이 다르답니다,남은 것이 이것뿐이었어요,그래서 별 네 개를 줍니다,색이 벽과 잘 어울려요".split(
    ","
)
_KO_OPEN = "솔직히,공평하게 말하면,짧게 말해서,저에게는,예전 것과 비교하면,모든 것을 고려하면,처음에는,작은 주의를 드리자면,선물로는,다시 한번,대체로,호기심에".split(",")  # fmt: skip
_MODULES = (
    "argparse asyncio builtins collections concurrent.futures configparser csv datetime decimal difflib email.message enum fractions functools"
    " http.client importlib inspect io ipaddress json logging mailbox math multiprocessing optparse os os.path pathlib pickle random re"
    " shutil sqlite3 socket ssl statistics string subprocess tarfile tempfile textwrap threading tokenize typing unittest urllib.request"
    " uuid weakref xml.etree.ElementTree zipfile"
).split()
_MOST_SHARED = 0.5
_SHORTEST, _LONGEST = 60, 1_500


def english(count: int, seed: int) -> list[str]:
    """Make reviews of two to six sentences in English."""
    draw = random.Random(seed)
    return [" ".join(_english_sentence(draw) for _ in range(draw.randrange(2, 7))) for _ in range(count)]


def korean(count: int, seed: int) -> list[str]:
    """Make reviews of two to six sentences in Korean."""
    draw = random.Random(seed)
    return [" ".join(_korean_sentence(draw) for _ in range(draw.randrange(2, 7))) for _ in range(count)]


def documentation(count: int, seed: int) -> list[str]:
    """Draw paragraphs of the documentation that comes with Python, without replacement."""
    return random.Random(seed).sample(_paragraphs(), count)


CLEAN: dict[str, Callable[[int, int], list[str]]] = {
    "english": english,
    "korean": korean,
    "documentation": documentation,
}
"""Makes some texts of a kind with a seed."""
LANGUAGE = {"english": "en", "korean": "ko", "documentation": "en"}


def _english_sentence(draw: random.Random) -> str:
    thing, did = draw.choice(_EN_THINGS), draw.choice(_EN_DID)
    kind = draw.randrange(4)
    if kind == 0:
        text = f"{draw.choice(_EN_OPEN)}, {thing} {did} {draw.choice(_EN_WHEN)}"
    elif kind == 1:
        text = f"{thing} {did}, {draw.choice(_EN_WHY)}"
    elif kind == 2:
        text = f"I used it {draw.choice(_EN_WHEN)} and {thing} {did}"
    else:
        text = f"{draw.choice(_EN_WHEN)} {thing} {did}, {draw.choice(_EN_WHY)}"
    return text[0].upper() + text[1:] + draw.choice(("." * 5) + "!")


def _korean_sentence(draw: random.Random) -> str:
    thing, did = draw.choice(_KO_THINGS), draw.choice(_KO_DID)
    topic = thing + ("은" if (ord(thing[-1]) - 0xAC00) % 28 else "는")
    kind = draw.randrange(4)
    if kind == 0:
        text = f"{draw.choice(_KO_OPEN)} {topic} {draw.choice(_KO_WHEN)} {did}"
    elif kind == 1:
        text = f"{topic} {did}. {draw.choice(_KO_WHY)}"
    elif kind == 2:
        text = f"{draw.choice(_KO_WHEN)} {topic} {did}"
    else:
        text = f"{draw.choice(_KO_WHEN)} 써 보니 {topic} {did}. {draw.choice(_KO_WHY)}"
    return text + draw.choice(("." * 5) + "!")


@cache
def _paragraphs() -> list[str]:
    """Return the different paragraphs of Python's own topics and docstrings, without code."""
    from pydoc_data.topics import topics

    texts = [topics[name] for name in sorted(topics)]
    for name in _MODULES:
        module = importlib.import_module(name)
        texts.append(module.__doc__ or "")
        members = [
            value for _, value in sorted(vars(module).items()) if inspect.isclass(value) or inspect.isroutine(value)
        ]
        texts += [inspect.getdoc(member) or "" for member in members]
    found = {" ".join(part.split()) for text in texts for part in re.split(r"\n\s*\n", text)}
    return _without_near(sorted(part for part in found if _SHORTEST <= len(part) <= _LONGEST and _is_prose(part)))


def _without_near(texts: list[str]) -> list[str]:
    """Leave out texts that share most pairs of words with another one: functions of a kind are documented in the same words."""
    kept: list[str] = []
    texts_of: dict[tuple[str, str], list[int]] = {}
    sizes: list[int] = []
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        pairs = set(itertools.pairwise(words))
        shared = Counter(other for pair in pairs for other in texts_of.get(pair, ()))
        if any(count > _MOST_SHARED * min(len(pairs), sizes[other]) for other, count in shared.items()):
            continue
        for pair in pairs:
            texts_of.setdefault(pair, []).append(len(kept))
        kept.append(text)
        sizes.append(len(pairs))
    return kept


def _is_prose(text: str) -> bool:
    """Return whether a paragraph is of words: no code, no table, no markup."""
    letters = sum(letter.isalpha() or letter == " " for letter in text)
    return letters >= 0.92 * len(text) and text[0].isupper() and not re.search(r"[<>\\@]|&\w+;|>>>|::|\d{6}", text)
