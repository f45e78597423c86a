"""Everything in Korean."""

from __future__ import annotations

from typing import Final

from edge_infer.errors import ReasonCode
from edge_infer.words.form import (
    AboutWords,
    ColumnWords,
    GroupWords,
    Noun,
    PageWords,
    ReasonWords,
    ToolWords,
    Words,
)
from edge_infer.worklist.rows import Decision, Status

_EXPORT_AGAIN = "영상을 다시 복사하거나 내보내십시오. 그때까지는 판독자에게 알리십시오."
_FIND_FRONTAL = "같은 검사의 정면 영상을 선별하십시오. 정면 영상이 없으면 PA로 촬영하십시오."
_NOT_A_FILM = "흉부 영상이 아니면 할 일이 없습니다. 흉부 영상이면 판독자에게 알리십시오."

_GROUPS: Final = {
    Decision.REFER_TB: GroupWords(
        label="결핵 추가 검사",
        heading="결핵 추가 검사가 먼저 필요한 검사",
        meaning="결핵 점수가 기준값에 이르렀거나, 모델이 가장 가깝다고 본 분류가 결핵입니다.",
        todo="추가 검사를 의뢰하고(사업 지침에 따라 객담 또는 혈액), 의사도 영상을 확인하십시오.",
    ),
    Decision.ABNORMAL: GroupWords(
        label="이상",
        heading="이상: 의사 확인",
        meaning="정상이 아닐 수 있는 영상입니다. 결핵 기준값에는 이르지 않았습니다.",
        todo="판독자에게 알리고, 오늘 안에 의사가 영상을 보게 하십시오.",
    ),
    Decision.UNCERTAIN: GroupWords(
        label="판단 보류",
        heading="판단 보류: 재촬영 또는 의뢰",
        meaning="기준값에는 이르지 않았지만, 정상이 아닌 분류를 배제할 수 없습니다.",
        todo="다시 촬영하거나(PA, 최대 흡기) 판독자에게 알리십시오.",
    ),
    None: GroupWords(
        label="선별 안 됨",
        heading="선별 안 됨: 사람이 판독",
        meaning="모델이 보지 않은 파일입니다. 선별 안 됨은 이상 없음이 아닙니다.",
        todo="파일마다 적힌 대로 하거나 판독자에게 알리십시오.",
    ),
    Decision.CLEAR: GroupWords(
        label="해당 없음",
        heading="해당 없음: 평소대로 판독",
        meaning="어느 기준값에도 이르지 않았고, 가장 가까운 분류가 정상입니다.",
        todo="평소대로 진행하십시오. 건강하다는 뜻이 아니며, 놓치는 병도 있습니다.",
    ),
}

_REASONS: Final = {
    ReasonCode.EMPTY_FILE: ReasonWords(why="파일이 비어 있습니다.", todo=_EXPORT_AGAIN),
    ReasonCode.NOT_AN_IMAGE: ReasonWords(why="영상 파일이 아닙니다.", todo=_NOT_A_FILM),
    ReasonCode.TRUNCATED: ReasonWords(why="파일이 중간에 잘렸습니다.", todo=_EXPORT_AGAIN),
    ReasonCode.DAMAGED: ReasonWords(why="파일이 손상되었습니다.", todo=_EXPORT_AGAIN),
    ReasonCode.NO_DECODER: ReasonWords(
        why="여기서 읽을 수 없는 영상 형식입니다.",
        todo="DICOM이나 PNG로 내보내십시오. 그때까지는 판독자에게 알리십시오.",
    ),
    ReasonCode.CANNOT_OPEN: ReasonWords(
        why="파일을 열 수 없습니다.",
        todo="드라이브 연결과 읽기 권한을 확인한 뒤 다시 실행하십시오.",
    ),
    ReasonCode.DECODER_CRASHED: ReasonWords(
        why="파일을 읽는 중에 오류가 났습니다.", todo=_EXPORT_AGAIN
    ),
    ReasonCode.DECODER_TIMEOUT: ReasonWords(
        why="파일을 읽는 데 너무 오래 걸렸습니다.", todo=_EXPORT_AGAIN
    ),
    ReasonCode.ARRIVING: ReasonWords(
        why="파일을 아직 복사하는 중입니다.", todo="기다리십시오. 자동으로 다시 확인합니다."
    ),
    ReasonCode.OTHER_MODALITY: ReasonWords(why="일반 X선 촬영 영상이 아닙니다.", todo=_NOT_A_FILM),
    ReasonCode.RAW: ReasonWords(
        why="처리 전 원시 영상입니다.",
        todo="같은 촬영의 처리된 영상을 보내십시오. 그때까지는 판독자에게 알리십시오.",
    ),
    ReasonCode.OTHER_BODY_PART: ReasonWords(why="흉부 영상이 아닙니다.", todo=_NOT_A_FILM),
    ReasonCode.LATERAL_VIEW: ReasonWords(why="정면 영상이 아닙니다.", todo=_FIND_FRONTAL),
    ReasonCode.SEVERAL_FRAMES: ReasonWords(
        why="한 파일에 영상이 여러 장 있습니다.",
        todo="판독자에게 알리고, PA 영상 한 장을 선별하십시오.",
    ),
    ReasonCode.COLOUR: ReasonWords(
        why="컬러 영상입니다.",
        todo="원본 흑백 영상을 내보내십시오. 그때까지는 판독자에게 알리십시오.",
    ),
    ReasonCode.NO_PIXELS: ReasonWords(why="파일 안에 영상이 없습니다.", todo=_NOT_A_FILM),
    ReasonCode.TOO_SMALL: ReasonWords(
        why="영상이 너무 작습니다.",
        todo="미리보기가 아닌 원래 크기로 내보내십시오. 그때까지는 판독자에게 알리십시오.",
    ),
    ReasonCode.TOO_LARGE: ReasonWords(
        why="영상이 너무 큽니다.", todo="판독자에게 알리고, 영상 한 장만 따로 내보내십시오."
    ),
    ReasonCode.CHILD: ReasonWords(
        why="소아 영상입니다.",
        todo="판독자에게 알리십시오. 이 모델은 소아에게 쓰지 않습니다.",
    ),
    ReasonCode.BLANK: ReasonWords(
        why="아무것도 찍히지 않은 영상입니다.", todo="다시 촬영하십시오(PA, 최대 흡기)."
    ),
}

_PAGE: Final = PageWords(
    eyebrow="흉부 X선 작업 목록",
    browser_title="흉부 X선 작업 목록, {date}",
    weekdays=("월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"),
    months=tuple(f"{month}월" for month in range(1, 13)),
    date="{year}년 {month} {day}일 {weekday}",
    file=Noun(one="파일 {n}개", many="파일 {n}개"),
    film=Noun(one="영상 {n}장", many="영상 {n}장"),
    other_file=Noun(one="다른 파일 {n}개", many="다른 파일 {n}개"),
    examination=Noun(one="검사 {n}건", many="검사 {n}건"),
    summary="{examinations}의 {files} 중 {screened}장 선별, 급한 순서. {time} 작성.",
    ignored="{files}는 대상이 아니어서 건너뜀.",
    skip="목록으로 건너뛰기",
    not_a_diagnosis="연구용입니다. 진단이 아닙니다.",
    shifted="오늘의 TB 점수 분포가 평소와 다릅니다. 원인을 알기 전에는 기준값을 믿지 마십시오.",
    sorting_key=(
        "급한 영상을 먼저 볼 수 있도록 순서를 정한 목록입니다. 점수는 순서를 정하기 위한 값이며, "
        "이 기관에서 병이 있을 확률이 아닙니다."
    ),
    incomplete="이 목록은 완전하지 않습니다.",
    left_over="실행이 중단되어 {files} 중 {left}개를 보지 못했습니다. 다시 실행하십시오.",
    closed_folders="열 수 없는 폴더:",
    films_missing="그 안의 영상은 이 목록에 없습니다.",
    archives="압축 파일 {n}개, 압축을 풀고 다시 실행하십시오:",
    groups=_GROUPS,
    classes={
        "normal": "정상",
        "pneumonia": "폐렴",
        "covid19": "코로나19",
        "tuberculosis": "결핵",
    },
    statuses={
        Status.SCREENED: "선별함",
        Status.UNSUPPORTED: "모델 대상 아님",
        Status.UNREADABLE: "읽을 수 없음",
    },
    reasons=_REASONS,
    columns=ColumnWords(
        number="번호",
        picture="그림",
        film="영상",
        decision="결정",
        score="결핵 점수 (0–100)",
        likeliest="가장 가까운 분류",
        why="이유와 할 일",
        second_test="추가 검사",
    ),
    tools=ToolWords(
        name="검색, 거르기, 정렬",
        search="검색",
        show="보기",
        show_all="전체",
        sort="묶음 안 정렬",
        by_urgency="급한 순서",
        by_score="결핵 점수",
        by_path="파일 이름",
        shown="검사 {total}건 중 {shown}건 표시",
    ),
    one_examination="한 검사의 {films}: 가장 급한 영상을 따릅니다",
    abnormal_score="이상 점수 {score}",
    small_score="결핵 점수",
    film_picture="영상 {rank}, 축소",
    show_heat="영상 {rank}: 점수가 나온 자리 보기",
    heat_caption="{name}: 점수가 나온 자리이며, 무엇이 있는지를 보여 주지는 않습니다.",
    heat_picture="영상 {rank}, 색 표시",
    heat_scale="빨간색은 점수와 관계없이 이 영상에서 가장 강한 자리입니다.",
    picture_file="그림 파일",
    hidden_picture="글자가 새겨진 영상이어서 표시하지 않습니다.",
    test_ordered="의뢰함",
    test_done="완료",
    expected=(
        "선별 대상자의 {prevalence}가 결핵일 때, 이렇게 의뢰된 영상 100장 중 약 "
        "{share}장({low}–{high}장)이 결핵 환자의 영상일 것으로 예상됩니다."
    ),
    expected_basis=(
        "모델 카드의 민감도와 특이도로 계산했으며, 범위는 두 값의 구간 하한끼리, 상한끼리 계산한 "
        "것입니다. 모델이 학습한 출처의 영상에서 잰 값이어서, 다른 기관에서는 훨씬 적을 수 "
        "있습니다."
    ),
    expected_unknown=(
        "의뢰된 영상 100장 중 몇 장이 결핵 환자의 것인지는 알 수 없습니다. 모델 카드의 영상 수가 "
        "부족합니다."
    ),
    about=AboutWords(
        heading="이 목록을 만든 방법",
        made="모델 {model}, cxr-edge {package}, {time}.",
        hash="모델 파일의 SHA-256:",
        intended_use=(
            "연구용이며 의료기기가 아니고 진단이 아닙니다. 하루치 흉부 정면 영상을 정렬하여 추가 "
            "검사가 필요한 사람을 먼저 보게 합니다. 기준값은 기관마다 확인해야 합니다."
        ),
        children="{age}세 미만으로 알려진 사람의 영상은 선별하지 않습니다.",
        thresholds="기준값과 정한 방법",
        columns=(
            "결정",
            "기준",
            "목표 민감도",
            "측정된 민감도 (95\xa0% 구간)",
            "특이도 (95\xa0% 구간)",
        ),
        tb_score="결핵 점수",
        abnormal_score="이상 점수",
        taken_at="{score} {threshold} 이상",
        with_it="해당 {films}",
        without_it="비해당 {films}",
        chosen_on="{decision}: 기준값을 정한 영상 –",
        uncertain=(
            "판단 보류: 두 기준값에 모두 이르지 않았지만 정상이 아닌 분류를 배제할 수 없는 "
            "영상입니다. 분류마다 그 분류 영상의 {share}에서 배제되지 않도록 정했습니다. 기준값을 "
            "정한 영상 –"
        ),
        tb_score_is_share=(
            "결핵 점수는 결핵 추가 검사가 얼마나 필요해 보이는지를 나타내며, 모델이 결핵에 둔 "
            "몫입니다."
        ),
        tb_score_is_made=(
            "결핵 점수는 결핵 추가 검사가 얼마나 필요해 보이는지를 나타내며 확률이 아닙니다. "
            "모델이 결핵에 둔 몫, 정상에서 벗어난 정도, 한 기관 안에서 병과 정상을 가르는 값을 "
            "함께 반영합니다. 모델 카드의 설명 –"
        ),
        scores=(
            "이상 점수는 정상이 아닌 분류에 둔 몫이 클수록 커집니다. 두 점수 모두 0에서 "
            "100까지입니다. 가장 가까운 분류가 결핵인 영상은 기준값과 관계없이 추가 검사 대상이고, "
            "가장 가까운 분류가 정상이 아닌 영상은 해당 없음이 되지 않습니다."
        ),
        other_machines=(
            "장비와 환자가 다르면 점수도 달라집니다. 믿고 쓰기 전에 이 기관의 확진 사례로 기준값을 "
            "확인하십시오."
        ),
        heat=(
            "그림 위의 색(그림에 마우스를 올리거나 탭 키로 이동)은 영상의 약 7 × 7 자리 가운데 한 "
            "분류의 점수를 높인 자리를 보여 줍니다. 병변의 경계가 아니며, 표식이나 가장자리에 "
            "나타날 수도 있습니다. 그럴 때는 점수를 믿지 마십시오."
        ),
        burned_in=(
            "헤더에 글자가 새겨져 있다고 적힌 영상(BurnedInAnnotation)은 그림을 표시하지 않습니다."
        ),
        small_print=(
            "점수 막대의 선이 기준값입니다. 그림은 축소한 것이므로 판독에 쓰지 마십시오. 파일 "
            "경로는 영상을 찾을 수 있도록 표시합니다."
        ),
    ),
)

WORDS: Final = Words(page=_PAGE)
