"""Encodings of one script, from before UTF-8: found by the letters that texts of a script have most, never by one byte.

A text is decoded as each candidate. Of a script with letters of its own the right one is mostly made of that script's commonest
letters; read as another it is made of rare ones. Latin letters are compared with the alphabets of languages, since codes of the
same byte are letters of two languages (`è` of French is `č` of Czech). Where two candidates are alike the answer is none.
(`charset-normalizer` reads French and pounds as cp1250, and Greek as that of an old Mac.)
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_MOST_WRONG = 0.1
"""Share of invalid characters among all that are not ASCII up to which an encoding is right and some bytes are damaged."""
_WRONG = "\ufffd"
_MOST = 0.6
_FEWEST_EAST, _FEWEST_LETTERS = 0.25, 0.45
"""Shares of the commonest characters from which a text may be of East Asia, or of an alphabet."""
_AHEAD = 1.4
"""How much more of the commonest letters the best candidate has than the next."""
_COVERED, _CLEARLY = 0.9, 0.03
_CAPITALS = 0.85
"""Weight of words in capitals: less likely than the same letters in small ones, which another encoding of the script may give."""
_MANY_SYLLABLES = 30
_FEWEST_SYLLABLES = 0.12
_COMMON_BYTES = 2
"""Length in EUC-KR of one of the 2,350 syllables that texts have; it composes the other 8,822 of several letters."""
_SHOWN, _SHOWN_WORDS = 4, 3

_HANGUL = frozenset(
    "이다는가의에을를은도고하지로한서기사자부대구경전인시남여울산주광동강원북충제청예아니오상중등급일월년금액명번호객역나성별세평균"
    "수량값점총합계비율가격매출입출고장소천안양용포화정신영진현민김박최조윤임송유과장대학교회사업무직원계약보험료해지유무분류"
)
_HANZI = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经"
    "么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三"
    "又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先"
    "海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求"
    "据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运省县镇村街号码姓男龄址客户订单价额城京广州深圳杭都庆武汉安"
    "津苏李刘陈杨黄赵吴周徐孙朱胡郭林罗梁郑谢宋唐邓冯韩曹彭曾萧田董潘袁蔡蒋余杜叶魏吕丁卢姚沈钟姜崔谭陆汪范石廖贾夏邹熊孟秦江否男"
    "湖河福云贵黑龙吉辽宁肃青藏内蒙古香港澳台湾岛连厦无锡合肥郑沙昆明春哈尔滨济购买支付宝卡银款费本科硕士博初级龄职未婚离"
)
_HANZI_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作里用道行所然家種事成方多經麼"
    "去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全三又"
    "關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海"
    "通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活別打女變四神總何電數安少報結反受目太量再感建務做接必場件計管期市直"
    "台臺灣北高雄中南新竹桃園縣區路號碼姓男齡址客戶訂單價額李劉陳楊黃趙吳周林張王品類金城京"
)
_KANJI = frozenset(
    "日一人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木聞"
    "食車何南万毎白天母火右読友左休父雨都道府県市区町村京阪古屋横浜神戸福岡札幌仙台広島葉埼玉愛知兵庫海氏性別住所番号商品価格数量額"
    "合計売顧客会社部署付齢話田佐藤鈴橋伊渡辺林加吉松井清斎森池阿橋石原岸野沢口崎宮城茨栃木群馬新潟静三重滋賀奈良和歌鳥取根媛徳香"
    "高分熊鹿児沖縄青秋形岩手富石福井梨岐阜長地方線駅線路店支払期間不有無可否済未"
)
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_CYRILLIC = frozenset("оеаинтсрвлкмд")
_GREEK = frozenset("αοιετσνηυρςπκλάίόέή")
_ALPHABETS = {
    **dict.fromkeys(("cp1251", "koi8-r", "cp866", "iso8859-5"), ("\u0400-\u045f", _CYRILLIC)),
    "cp1253": ("\u0386-\u03ce", _GREEK),
    "cp1255": ("\u05d0-\u05ea", frozenset("יוהלארתבנמשע")),
    "cp1256": ("\u0621-\u064a", frozenset("اليمونرتبةعدسق")),
    "cp874": ("\u0e01-\u0e4e", frozenset("านรอกเงมยลวดทิ่ี้สั")),
}
"""Range of the letters, and the commonest of them."""
_FINAL = re.compile("\u03c2[\u03b1-\u03c9]|[\u05da\u05dd\u05df\u05e3\u05e5][\u05d0-\u05ea]")
"""A letter of Greek or Hebrew that ends words, elsewhere."""
_ITALIAN = "àèéìíòóùú"
"""Only the last letter of a word."""
LATIN = {
    "cp1252": (
        "àâçèéêëîïôùûüÿœæ",  # French
        _ITALIAN,
        "áéíóúüñçïàèò",  # Spanish, Catalan
        "áéíóúâêôãàçü",  # Portuguese; õ is rare, and the commonest letter of Hungarian
        "äöüßé",  # German
        "åäöæøéü",  # Nordic
        "áéíóúýþðæö",  # Icelandic
        "ëïéèêöüáóíç",  # Dutch
        "äöõüšž",  # Estonian
    ),
    "cp1250": (
        "áčďéěíňóřšťúůýž",  # Czech
        "ąćęłńóśźż",  # Polish
        "áéíóöőúüű",  # Hungarian
        "áäčďéíĺľňóôŕšťúýž",  # Slovak
        "čćđšž",  # Croatian, Slovene
        "ăâîşţ",  # Romanian
        "äöüß",  # German
    ),
    "cp1254": ("çğ\u0131iöşüâîû",),  # Turkish; i is the beginning of a small dotted I
}
"""Letters that are not ASCII, of some languages of each encoding."""


@dataclass(frozen=True)
class Guess:
    """A possible encoding.

    Attributes:
        name: Python's name of the encoding.
        is_sure: Whether nothing else fits as well.
        others: Other candidates, the likeliest first.
    """

    name: str
    is_sure: bool
    others: tuple[str, ...] = ()


def guess_encoding(sample: bytes) -> Guess | None:
    """Guess the encoding of bytes that are not UTF-8; None where they are of no script that is known here.

    Args:
        sample: Some whole lines, the last of which may be cut.
    """
    scores = {**_score_east(sample), **_score_letters(sample)}
    ranked = sorted((name for name in scores if scores[name] > 0), key=lambda name: -scores[name])
    if not ranked:
        return None if _is_of_another_script(sample) else _guess_latin(sample)
    best, *others = ranked
    is_sure = not others or scores[best] >= _AHEAD * scores[others[0]]
    return Guess(best, is_sure, tuple(others[: _SHOWN - 1]))


def candidates(sample: bytes) -> list[str]:
    """Return encodings in which nearly all of a sample is valid and made of letters."""
    names = (
        "cp932",
        "gb18030",
        "big5",
        "euc_jp",
        "cp949",
        "cp1251",
        "koi8-r",
        "cp866",
        "cp1253",
        "cp1255",
        "cp1256",
        "cp874",
    )
    return [name for name in names if (marks := _marks(sample, name)) and _are_letters(marks)][: _SHOWN + 2]


def show_words(sample: bytes, encoding: str) -> str:
    """Return some words of a sample with characters that are not ASCII, as an encoding reads them."""
    words = re.findall(r"\w*[^\W\x00-\x7f]\w*", sample.decode(encoding, "replace"))
    return ", ".join(repr(word[:20]) for word in list(dict.fromkeys(words))[:_SHOWN_WORDS])


def _marks(sample: bytes, encoding: str) -> list[str]:
    """Return the characters of a sample that are not ASCII; none where too many bytes are not valid."""
    marks = re.findall(r"[^\x00-\x7f]", sample.decode(encoding, "replace"))
    return marks if marks.count(_WRONG) <= _MOST_WRONG * len(marks) else []


def _is_within_latin(sample: bytes, encoding: str) -> bool:
    """Return whether most characters that are not ASCII are beside a Latin letter, as no character of East Asia is."""
    text = sample.decode(encoding, "replace")
    beside = re.findall(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])", text)
    return 2 * len(beside) > len(re.findall(r"[^\x00-\x7f]", text))


def _are_letters(marks: list[str]) -> bool:
    return sum(
        unicodedata.category(mark)[0] in "LM" and not "\uff61" <= mark <= "\uff9f" for mark in marks
    ) >= _COVERED * len(marks)


def _score_east(sample: bytes) -> dict[str, float]:
    """Return the share of common characters, for each encoding of East Asia in which they are most of what is not ASCII."""
    is_korean = not _is_within_latin(sample, "cp949")
    found = {"cp949": _score_korean(_marks(sample, "cp949")) if is_korean else 0.0}
    for name, common in (("gb18030", _HANZI), ("big5", _HANZI_TRADITIONAL), ("cp932", _KANJI), ("euc_jp", _KANJI)):
        marks = [mark for mark in _marks(sample, name) if mark.isalpha()]
        is_japanese = common is _KANJI
        known = sum(mark in common or bool(is_japanese and _KANA.match(mark)) for mark in marks)
        share = known / len(marks) if marks else 0.0
        is_likely = share >= _FEWEST_EAST and not _is_within_latin(sample, name)
        found[name] = share if is_likely else 0.0
    return found


def _score_korean(marks: list[str]) -> float:
    """Return the share of common syllables; 0 for other bytes that happen to be valid cp949, such as 25 °C or Chinese."""
    hangul = [mark for mark in marks if "가" <= mark <= "힣" and len(mark.encode("euc_kr", "ignore")) == _COMMON_BYTES]
    if not hangul or len(hangul) < _MOST * len(marks):
        return 0.0
    share = sum(mark in _HANGUL for mark in hangul) / len(hangul)
    return share if len(set(hangul)) < _MANY_SYLLABLES or share >= _FEWEST_SYLLABLES else 0.0


def _score_letters(sample: bytes) -> dict[str, float]:
    """Return the share of the commonest letters, for each encoding in which the text is words of an alphabet's letters."""
    found = {}
    for name, (letters, common) in _ALPHABETS.items():
        text = sample.decode(name, "replace")
        words = re.findall(f"(?<![A-Za-z{letters}])[{letters}]{{2,}}(?![A-Za-z{letters}])", text)
        written = "".join(word for word in words if word[1:].islower() or word.upper() == word)
        weight = _CAPITALS if written.isupper() else 1.0
        share = weight * sum(mark in common for mark in written.lower()) / max(len(written), 1)
        if any(_FINAL.search(word) for word in words):
            continue
        is_script = len(written) >= _MOST * len(re.findall(r"[^\x00-\x7f]", text))
        found[name] = share if is_script and share >= _FEWEST_LETTERS else 0.0
    return found


def _is_of_another_script(sample: bytes) -> bool:
    """Return whether most of what is not ASCII is adjacent, and no Latin language has these letters."""
    text = sample.decode("cp1252", "replace")
    marks = len(re.findall(r"[^\x00-\x7f]", text))
    if sum(map(len, re.findall(r"[^\x00-\x7f]{2,}", text))) < _MOST * marks:
        return False
    inner, outer = _latin_marks(sample)
    return len(inner + outer) < _MOST * marks or not any(_viable(inner, outer, name) for name in LATIN)


def _guess_latin(sample: bytes) -> Guess:
    """Guess by the languages whose alphabets have the letters: of those, by the letters that encodings read differently."""
    inner, outer = _latin_marks(sample)
    different = [code for code in inner + outer if len({code.decode(name, "replace") for name in LATIN}) > 1]
    if not different:
        return Guess("cp1252", True)
    shares = {
        name: max((_covered(different, name, alphabet) for alphabet in _viable(inner, outer, name)), default=0.0)
        for name in LATIN
    }
    best, *others = sorted(LATIN, key=lambda name: -shares[name])  # the first of equals is cp1252
    alike = [name for name in others if shares[name] > shares[best] - _CLEARLY and _differ(different, name, best)]
    return Guess(best, shares[best] > 0 and not alike, tuple(alike or others))


def _viable(inner: list[bytes], outer: list[bytes], encoding: str) -> list[str]:
    """Return the alphabets that have nearly all of the letters inside and at the ends of words."""
    return [
        alphabet
        for alphabet in LATIN[encoding]
        if _covered(inner + outer, encoding, alphabet) >= _COVERED
        and (alphabet is not _ITALIAN or len(inner) <= (1 - _COVERED) * len(inner + outer))
    ]


def _differ(places: list[bytes], one: str, other: str) -> bool:
    return any(code.decode(one, "replace") != code.decode(other, "replace") for code in places)


def _latin_marks(sample: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the bytes that are letters of words: between letters, or beside one if cp1252 has a letter there."""
    inner = re.findall(rb"(?<=[A-Za-z\x80-\xff])[\x80-\xff](?=[a-z\x80-\xff])", sample)
    ends = rb"(?<![a-z\x80-\xff])[\x80-\xff](?=[A-Za-z])|(?<=[A-Za-z])[\x80-\xff](?![a-z\x80-\xff])"
    return inner, [code for code in re.findall(ends, sample) if code.decode("cp1252", "replace").isalpha()]


def _covered(places: list[bytes], encoding: str, alphabet: str) -> float:
    """Return the share of letters that an alphabet has."""
    known = sum(code.decode(encoding, "replace").lower()[0] in alphabet for code in places)
    return known / len(places) if places else 0.0
