"""Sentences that people might look for, in languages of several scripts: things of a colour in a scene.

Each is made of two parts, so that a few words give a hundred of each language. All of them name a colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest

_PARTS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "latin": (
        (
            "{thing} {scene}",
            "a white dog|an old red car|a woman in a blue dress|a black cat|green apples|a yellow boat"
            "|a brown horse|an orange tent|pink flowers|a grey stone house",
            "in the snow|at sunset|in heavy rain|on a busy street|by a calm lake|in dense fog"
            "|seen from above|in warm evening light|on a wooden table|in an empty, lonely landscape",
        ),
        (
            "{thing} {scene}",
            "ein weißer Hund|ein rotes Fahrrad|ein Kind im gelben Regenmantel|eine schwarze Katze"
            "|ein grüner Traktor|ein blaues Boot|braune Pferde|ein orange leuchtender Himmel"
            "|rosa Blüten|eine graue Brücke",
            "im Schnee|am Meer|bei Nacht|in den Bergen|auf dem Markt|im Nebel|vor einer alten Kirche"
            "|im Gegenlicht|aus der Nähe|an einem fröhlichen Sommertag",
        ),
        (
            "{thing} {scene}",
            "un chien blanc|une voiture rouge|un homme en manteau noir|un bateau bleu|des fruits verts"
            "|une porte jaune|un cheval brun|une lampe orange|des roses roses|un mur gris",
            "sous la pluie|sur la plage|au lever du soleil|dans la forêt|dans une rue étroite|en hiver"
            "|près d'une fenêtre|au bord de la rivière|la nuit|dans une ambiance paisible",
        ),
        (
            "{thing} {scene}",
            "un perro blanco|un coche rojo|una niña con sombrero azul|un gato negro|un campo verde"
            "|un autobús amarillo|un caballo marrón|una puerta naranja|flores rosas|nubes grises",
            "en la nieve|al atardecer|en la playa|en el desierto|en una plaza vacía|bajo la lluvia"
            "|junto al mar|en la montaña|durante una fiesta|en un día triste",
        ),
    ),
    "han": (
        (
            "{scene}的{thing}",
            "白色的狗|红色的汽车|穿蓝色裙子的女人|黑色的猫|绿色的苹果|黄色的小船|棕色的马|橙色的帐篷"
            "|粉色的花|灰色的石屋",
            "雪地里|日落时|大雨中|热闹街道上|平静湖边|浓雾中|森林里|夜晚|木桌上|孤独荒野中",
        ),
    ),
    "kana": (
        (
            "{scene}の{thing}",
            "白い犬|赤い車|青いドレスの女性|黒い猫|緑のりんご|黄色いボート|茶色の馬|オレンジ色のテント"
            "|ピンクの花|灰色の石の家",
            "雪の中|夕暮れ|雨の日|にぎやかな通り|静かな湖のそば|霧の中|森の中|夜の街|テーブルの上|寂しい風景",
        ),
    ),
    "hangul": (
        (
            "{scene} {thing}",
            "하얀 개|빨간 자동차|파란 드레스를 입은 여자|검은 고양이|초록색 사과|노란 배|갈색 말"
            "|주황색 텐트|분홍색 꽃|회색 돌집",
            "눈 속의|해 질 녘의|빗속의|번화한 거리의|고요한 호숫가의|안개 속의|숲속의|밤의"
            "|나무 탁자 위의|쓸쓸한 들판의",
        ),
    ),
    "cyrillic": (
        (
            "{thing} {scene}",
            "белая собака|красная машина|женщина в синем платье|чёрная кошка|зелёные яблоки|жёлтая лодка"
            "|коричневая лошадь|оранжевая палатка|розовые цветы|серый каменный дом",
            "в снегу|на закате|под дождём|на оживлённой улице|у тихого озера|в тумане|в лесу|ночью"
            "|на деревянном столе|в пустынном месте",
        ),
    ),
    "arabic": (
        (
            "{thing} {scene}",
            "كلب أبيض|سيارة حمراء|امرأة بفستان أزرق|قطة سوداء|تفاح أخضر|قارب أصفر|حصان بني"
            "|خيمة برتقالية|زهور وردية|بيت حجري رمادي",
            "في الثلج|عند الغروب|تحت المطر|في شارع مزدحم|قرب بحيرة هادئة|في الضباب|في الغابة|في الليل"
            "|على طاولة خشبية|في الصحراء",
        ),
    ),
    "devanagari": (
        (
            "{scene} {thing}",
            "सफ़ेद कुत्ता|लाल कार|नीली पोशाक में महिला|काली बिल्ली|हरे सेब|पीली नाव|भूरा घोड़ा|नारंगी तंबू"
            "|गुलाबी फूल|स्लेटी पत्थर का घर",
            "बर्फ़ में|सूर्यास्त के समय|बारिश में|भीड़ भरी सड़क पर|शांत झील के किनारे|कोहरे में|जंगल में"
            "|रात में|लकड़ी की मेज़ पर|सुनसान मैदान में",
        ),
    ),
}
"""By script, as `_core.null_queries.script_of` names them: of each language how to join parts, and they."""

UNICODE_NAMES: Mapping[str, str] = {"han": "CJK", "kana": "HIRAGANA"}
"""What `encoders.catalogue.known_scripts` calls scripts that have another name there."""


def built_in_sentences(scripts: frozenset[str] | None, count: int) -> list[tuple[str, str]]:
    """Sentences with their scripts, as many of each language, at most `count`.

    `scripts` are those that a text tower knows, as the catalogue names them; None: all.
    """
    known = {
        script: languages
        for script, languages in _PARTS.items()
        if scripts is None or UNICODE_NAMES.get(script, script.upper()) in scripts
    }
    every = [
        [(sentence, script) for sentence in _combine(*parts)]
        for script, languages in known.items()
        for parts in languages
    ]
    in_turn = (pair for turn in zip_longest(*every) for pair in turn if pair is not None)
    return list(islice(in_turn, count))


def _combine(pattern: str, things: str, scenes: str) -> Iterator[str]:
    """All pairs, so that the first ones share no part."""
    some, others = things.split("|"), scenes.split("|")
    for shift in range(len(others)):
        for number, thing in enumerate(some):
            yield pattern.format(thing=thing, scene=others[(number + shift) % len(others)])
