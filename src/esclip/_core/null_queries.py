"""Null queries: sentences that no picture shows, in the languages of each script.

What they score in an index is what a query scores there by chance. Like queries, some are short and some
long. None names a colour, a thing, a place, or a mood that a picture may have.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping


def script_of(text: str) -> str:
    """The script of most of a text's letters: a key of `NULL_QUERIES`; Latin without letters.

    Any kana makes a text Japanese: most of its letters may be Han.
    """
    plain = unicodedata.normalize("NFKC", text)
    scripts = Counter(_script(letter) for letter in plain if letter.isalpha())
    if scripts["kana"]:
        return "kana"
    return scripts.most_common(1)[0][0] if scripts else "latin"


def is_null_query(text: str) -> bool:
    """Whether a text is one of the null queries."""
    return any(text in sentences for sentences in NULL_QUERIES.values())


def _script(letter: str) -> str:
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0], "other")


_SCRIPTS = {
    "LATIN": "latin",
    "CJK": "han",
    "HIRAGANA": "kana",
    "KATAKANA": "kana",
    "KATAKANA-HIRAGANA": "kana",
    "HANGUL": "hangul",
    "CYRILLIC": "cyrillic",
    "ARABIC": "arabic",
    "DEVANAGARI": "devanagari",
}
"""By the first word of a letter's Unicode name."""

NULL_QUERIES: Mapping[str, tuple[str, ...]] = {
    "latin": (
        "the quarterly interest rate was revised",
        "please confirm your password",
        "the proof is left to the reader",
        "terms and conditions may apply",
        "inflation expectations",
        "an unresolved software dependency",
        "die Frist wurde um zwei Wochen verlängert",
        "der Antrag wurde abgelehnt",
        "Mehrwertsteuersatz",
        "la clause de résiliation anticipée",
        "le taux d'imposition effectif",
        "veuillez patienter",
        "la hipótesis nula no fue rechazada",
        "el plazo de garantía ha vencido",
        "l'aliquota media ponderata",
        "a validade do contrato",
    ),
    "han": (
        "季度利率已经调整",
        "请确认您的密码",
        "证明留给读者",
        "适用条款和条件",
        "通货膨胀预期",
        "软件依赖尚未解决",
        "期限延长了两周",
        "申请被拒绝",
        "增值税税率",
        "提前终止条款",
        "實際稅率",
        "請稍候",
        "原假设未被拒绝",
        "保固期已經屆滿",
        "加权平均值",
        "合同的有效期",
    ),
    "kana": (
        "四半期の金利が改定された",
        "パスワードを確認してください",
        "証明は読者に任せる",
        "利用規約が適用されます",
        "インフレの予想",
        "ソフトウェアの依存関係",
        "期限が二週間延びた",
        "申請は却下された",
        "消費税の税率",
        "中途解約の条項",
        "実効税率について",
        "しばらくお待ちください",
        "仮説は棄却されなかった",
        "保証の期間が切れた",
        "平均をとること",
        "契約の有効期限",
    ),
    "hangul": (
        "분기 금리가 조정되었다",
        "비밀번호를 확인하세요",
        "증명은 독자에게 맡긴다",
        "약관이 적용됩니다",
        "물가 상승 기대",
        "의존성 오류",
        "기한이 연장되었다",
        "신청이 거절되었다",
        "부가가치세율",
        "중도 해지 조항",
        "실효 세율",
        "잠시 기다려 주세요",
        "가설은 기각되지 않았다",
        "보증 기간 만료",
        "가중 평균",
        "계약의 유효성",
    ),
    "cyrillic": (
        "процентная ставка изменена",
        "подтвердите пароль",
        "доказательство опущено",
        "условия договора",
        "ожидания инфляции",
        "ошибка зависимости",
        "срок продлён на две недели",
        "заявление отклонено",
        "ставка налога",
        "пункт о расторжении",
        "строк дії угоди",
        "зачекайте, будь ласка",
        "гипотеза не отвергнута",
        "гарантията е изтекла",
        "среднее значение",
        "действительность",
    ),
    "arabic": (
        "تم تعديل سعر الفائدة",
        "يرجى تأكيد كلمة المرور",
        "تطبق الشروط والأحكام",
        "توقعات التضخم",
        "خطأ في الاعتماد",
        "تم تمديد المهلة",
        "تم رفض الطلب",
        "نسبة الضريبة",
        "بند الإنهاء المبكر",
        "يرجى الانتظار",
        "لم ترفض الفرضية",
        "انتهت مدة الضمان",
        "المتوسط المرجح",
        "صلاحية العقد",
        "نرخ مالیات",
        "لطفاً صبر کنید",
    ),
    "devanagari": (
        "ब्याज दर बदली गई",
        "पासवर्ड की पुष्टि करें",
        "नियम लागू होते हैं",
        "महँगाई का अनुमान",
        "समय सीमा बढ़ाई गई",
        "आवेदन अस्वीकृत",
        "कर की दर",
        "समाप्ति की शर्त",
        "कृपया प्रतीक्षा करें",
        "परिकल्पना",
        "वारंटी समाप्त",
        "भारित औसत",
        "अनुबंध की वैधता",
        "प्रमाण छोड़ा गया",
        "निर्भरता त्रुटि",
        "मुदत वाढवली",
    ),
    "other": (
        "το επιτόκιο αναθεωρήθηκε",
        "επιβεβαιώστε τον κωδικό",
        "ισχύουν όροι",
        "ο μέσος όρος",
        "η αίτηση απορρίφθηκε",
        "שיעור הריבית עודכן",
        "אנא אשרו את הסיסמה",
        "הבקשה נדחתה",
        "תנאי השימוש",
        "อัตราดอกเบี้ย",
        "โปรดรอสักครู่",
        "เงื่อนไขสัญญา",
        "საპროცენტო განაკვეთი",
        "խնդրում ենք սպասել",
        "வட்டி விகிதம்",
        "সুদের হার",
    ),
}
"""By script, in several of its languages."""

NULL_TEXTS: tuple[str, ...] = tuple(text for script in sorted(NULL_QUERIES) for text in NULL_QUERIES[script])
"""All of them, script by script: what each measurement encodes."""
