"""Words in free-text headers that tell which part of the body, or which view, a film shows.

Used where BodyPartExamined and ViewPosition are silent: a dental panorama may be a CR whose only
hint is its StudyDescription. English, German, French, Spanish, Portuguese, Italian, Russian,
Korean, Japanese and Chinese. Latin and Cyrillic words are matched whole, after case and accents are
removed; words of the other scripts, which have no spaces, are matched anywhere.

Left out on purpose, because chest films' descriptions contain them in another sense: `main`
(French hand, English main), `pe` (Portuguese foot, pulmonary embolism), `pie`, `sinus` (the
costophrenic one), `arm` (C-arm), `back`, `head` (head-up bed), `neck`, single characters such as
手 (手術, operation) and 손 (손상, injury).
"""

from __future__ import annotations

import re
import unicodedata

_CHEST_LATIN = """
    chest chests cxr thorax thoraxes torax torace lung lungs pulmonary brustkorb lunge lungen
    poumon poumons pulmonaire pecho pulmon pulmones pulmonar pulmao pulmoes polmone polmoni
    polmonare brust herz lunge herzlunge cardiopulmonary
"""
_CHEST_RUSSIAN = """
    огк|ргк|огп|грудная клетка|грудной клетки|грудную клетку|грудной полости|грудь|легкие|легких
    легкое|легкого|флюорография|флюорограмма|флг
"""
_CHEST_OTHER = "흉부 가슴 폐 胸部 胸片 胸廓 胸腔 胸正位 肺 むね"
_NOT_CHEST_OTHER = "胸椎 胸腰椎 흉추 흉요추 폐쇄"
"""Removed before the chest words are looked for: thoracic spine, and 폐쇄 (occlusion)."""

_PARTS_LATIN = """
    dental|teeth|tooth|panorama|panoramic|panorex|orthopantomogram|orthopantomography|opg
    cephalometric|cephalogram|mandible|maxilla|zahn|zahne|gebiss|unterkiefer|oberkiefer|dents
    panoramique|dentaire|diente|dientes|panoramica|dente|dentes|denti|dentario|mandibula|bitewing
    skull|cranium|schadel|crane|craneo|cranio|orbit|orbits|nasal bone|nasal bones|nasenbein
    paranasal|sinuses|nnh|facial bones|zygoma|temporomandibular|tmj
    spine|cspine|tspine|lspine|lumbar|lumbosacral|cervical|thoracolumbar|sacrum|coccyx
    wirbelsaule|hws|bws|lws|lendenwirbelsaule|halswirbelsaule|rachis|colonne vertebrale|lombaire
    columna|columna vertebral|coluna|coluna vertebral|lombar|rachide|colonna|colonna vertebrale
    abdomen|kub|bauch|oberbauch|addome|abdome
    pelvis|becken|bassin|bacia|bacino|hip|hips|hufte|huftgelenk|hanche|hanches|cadera
    caderas|quadril|anca|iliac
    shoulder|shoulders|schulter|epaule|epaules|hombro|ombro|spalla|humerus|oberarm|humero|omero
    elbow|elbows|ellbogen|ellenbogen|coude|codo|cotovelo|gomito|forearm|unterarm|avant bras
    antebrazo|antebraco|avambraccio
    wrist|wrists|handgelenk|poignet|poignets|muneca|punho|polso|hand|hands|hande|mano|manos|mao
    maos|finger|fingers|thumb|daumen|doigt|doigts|pouce|dedo|dedos|dito|bone age|knochenalter
    knee|knees|knie|genou|genoux|rodilla|rodillas|joelho|joelhos|ginocchio|ginocchia|patella
    femur|femurs|oberschenkel|tibia|fibula|unterschenkel|jambe|perone|lower leg|leg|legs
    ankle|ankles|sprunggelenk|cheville|chevilles|tobillo|tornozelo|caviglia|foot|feet|fuss|fusse
    pied|pieds|piede|piedi|toe|toes|zehe|zehen|orteil|calcaneus|calcaneum|heel|extremity|extremities
    mammography|mammogram|mammographie|mamografia|mammografia|whole spine|long leg
"""
_PARTS_RUSSIAN = """
    череп|черепа|челюсть|челюсти|зуб|зубы|зубов|ортопантомограмма|оптг|пазухи|пазух|ппн|орбита
    позвоночник|позвоночника|шоп|гоп|поп|шейный отдел|шейного отдела|грудной отдел|грудного отдела
    поясничный отдел|поясничного отдела|крестец|копчик|таз|таза|тазобедренный|тазобедренного
    тазобедренные|бедро|бедра|бедренная|колено|коленный|коленного|коленные|голень|голени
    голеностопный|голеностопного|стопа|стопы|пятка|пяточная|плечо|плеча|плечевой|плечевого|ключица
    ключицы|лопатка|локоть|локтевой|локтевого|предплечье|предплечья|запястье|лучезапястный
    лучезапястного|кисть|кисти|палец|пальца|пальцы|живот|живота|брюшная|брюшной|маммография
    молочная железа|молочной железы
"""
_PARTS_OTHER = """
    치과 치아 파노라마 두개골 두부 부비동 안와 하악 경추 요추 흉추 척추 천추 미추 복부 골반
    고관절 어깨 견관절 쇄골 상완 팔꿈치 주관절 전완 손목 손가락 수부 수지 완관절 무릎 슬관절
    대퇴 하퇴 경골 발목 족관절 족부 발가락 종골 유방 歯科 歯牙 歯列 パノラマ 頭部 頭蓋 副鼻腔
    眼窩 下顎 頸椎 頚椎 腰椎 胸椎 脊椎 仙椎 尾骨 腹部 骨盤 股関節 肩関節 上腕 肘関節 前腕 手関節
    手指 手部 膝関節 膝 大腿 下腿 脛骨 足関節 足部 足趾 踵骨 乳房 牙齿 牙科 牙片 口腔 全景片
    曲面断层 头颅 頭顱 颅骨 鼻窦 鼻竇 颈椎 頸椎 脊柱 腹平片 骨盆 髋关节 髖關節 肩关节 肩關節
    肱骨 肘关节 肘關節 腕关节 腕關節 手掌 膝关节 膝關節 股骨 胫骨 踝关节 踝關節 跟骨 乳腺
"""

_LATERAL_LATIN = """
    lateral|lat|lateralis|seitlich|seitl|profil|perfil|laterale|laterolaterale|latero laterale
    decubitus|oblique|obliqua|oblicua|schrag|lao|rao|lpo|rpo|llo|rlo|lld|rld|torace ll|thorax ll
"""
_LATERAL_RUSSIAN = """
    бок|боку|боковая|боковой|боковую|левая боковая|правая боковая|латеральная|косая|косой
"""
_LATERAL_CODES = "|ll|rl|llat|rlat"
"""Only in ViewPosition: elsewhere LL may be a lower limb or a left lung."""
_LATERAL_OTHER = "측면 측위 사위 側面 側位 侧位 侧面 斜位"
_FRONTAL_LATIN = """
    pa|ap|frontal|frontale|posteroanterior|anteroposterior|postero anterior|antero posterior
    face|fronte
"""
_FRONTAL_RUSSIAN = """
    прямая|прямой|прямую|фронтальная|передняя|переднезадняя|заднепередняя|передне задняя
    задне передняя
"""
_FRONTAL_OTHER = "정면 후전 전후 正面 正位 後前 后前 前後 前后"


def fold(text: str) -> str:
    """Remove case, accents and width, so that one spelling stands for all."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", kept)


class WordList:
    """Words to look for in folded text: alphabetic ones whole, others anywhere."""

    def __init__(self, alphabetic: str, other: str, *, without: str = "") -> None:
        lines = alphabetic.replace("\n", "|").split("|")
        self._whole = tuple(fold(" ".join(line.split())) for line in lines if line.strip())
        self._other = tuple(fold(word) for word in other.split())
        self._without = tuple(fold(word) for word in without.split())

    def find(self, *readings: str) -> str:
        """Return the first word of the list found in a text, '' when there is none.

        Of several readings of one text all but one are wrong, and a single character may stand in
        those by chance: only words of two and more are looked for.
        """
        fewest = 1 if len(readings) == 1 else 2
        return next(filter(None, (self._find(text, fewest) for text in readings)), "")

    def _find(self, text: str, fewest: int) -> str:
        folded = fold(text)
        for word in self._without:
            folded = folded.replace(word, " ")
        spaced = f" {' '.join(_ALPHABETIC.findall(folded))} "
        for word in self._whole:
            if f" {word} " in spaced:
                return word
        return next((word for word in self._other if len(word) >= fewest and word in folded), "")


_ALPHABETIC = re.compile("[a-zа-яі]+")
CHEST = WordList(
    "|".join(_CHEST_LATIN.split()) + _CHEST_RUSSIAN, _CHEST_OTHER, without=_NOT_CHEST_OTHER
)
OTHER_PART = WordList(_PARTS_LATIN + _PARTS_RUSSIAN, _PARTS_OTHER)
NOT_FRONTAL = WordList(_LATERAL_LATIN + _LATERAL_RUSSIAN, _LATERAL_OTHER)
NOT_FRONTAL_POSITION = WordList(_LATERAL_LATIN + _LATERAL_RUSSIAN + _LATERAL_CODES, _LATERAL_OTHER)
FRONTAL = WordList(_FRONTAL_LATIN + _FRONTAL_RUSSIAN, _FRONTAL_OTHER)
