"""Everything in Korean."""

from __future__ import annotations

from typing import Final

from edge_infer.errors import ReasonCode
from edge_infer.words.form import (
    AboutWords,
    CalibrationWords,
    ColumnWords,
    DeskWords,
    FaultWords,
    GroupWords,
    Noun,
    PageWords,
    PaperWords,
    ReasonWords,
    ToolWords,
    ViewerWords,
    WhyWords,
    Words,
)
from edge_infer.worklist.rows import Decision, Status

_EXPORT_AGAIN = "영상을 다시 복사하거나 내보내십시오. 그때까지는 판독자에게 알리십시오."
_FIND_FRONTAL = "같은 검사의 정면 영상을 선별하십시오. 정면 영상이 없으면 PA로 촬영하십시오."
_TURN_IT = "촬영 워크스테이션에서 바로 돌린 뒤 다시 보내십시오."
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
    ReasonCode.NOT_CHEST_PICTURE: ReasonWords(
        why="흉부 영상으로 보이지 않습니다.", todo=_NOT_A_FILM
    ),
    ReasonCode.LATERAL_PICTURE: ReasonWords(why="측면 영상으로 보입니다.", todo=_FIND_FRONTAL),
    ReasonCode.ON_ITS_SIDE: ReasonWords(why="영상이 옆으로 누워 있습니다.", todo=_TURN_IT),
    ReasonCode.UPSIDE_DOWN: ReasonWords(why="영상의 위아래가 뒤집혔습니다.", todo=_TURN_IT),
    ReasonCode.INVERTED: ReasonWords(
        why="흑백이 반전되었습니다.",
        todo="촬영 워크스테이션에서 반전을 되돌린 뒤 다시 보내십시오.",
    ),
    ReasonCode.LUNGS_CUT_OFF: ReasonWords(
        why="폐가 잘렸습니다.", todo="다시 촬영하거나 의사에게 보이십시오."
    ),
    ReasonCode.BAD_EXPOSURE: ReasonWords(
        why="빈 영상이거나 노출이 맞지 않습니다.",
        todo="윈도를 바꾸어 다시 보내거나 다시 촬영하십시오.",
    ),
    ReasonCode.PHOTOGRAPH: ReasonWords(
        why="사진으로 찍은 영상이거나 다른 그림 속의 영상입니다.",
        todo="X선 장비나 보관소에서 원본 영상을 보내십시오.",
    ),
    ReasonCode.PUT_UPRIGHT: ReasonWords(
        why="돌려서 선별했습니다.", todo="워크스테이션에서도 바로 돌리십시오."
    ),
    ReasonCode.MADE_POSITIVE: ReasonWords(
        why="반전을 되돌려 선별했습니다.", todo="워크스테이션에서도 반전을 되돌리십시오."
    ),
    ReasonCode.GATE_OFF: ReasonWords(
        why="--no-gate로 선별했습니다.", todo="정면 흉부 영상인지 직접 확인하십시오."
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
    shifted="평소와 다른 날입니다.",
    sorting_key=(
        "급한 영상을 먼저 볼 수 있도록 순서를 정한 목록입니다. 점수는 순서를 정하기 위한 값이며, "
        "이 기관에서 병이 있을 확률이 아닙니다."
    ),
    incomplete="이 목록은 완전하지 않습니다.",
    left_over="실행이 중단되어 {files} 중 {left}개를 보지 못했습니다. 다시 실행하십시오.",
    closed_folders="열 수 없는 폴더:",
    films_missing="그 안의 영상은 이 목록에 없습니다.",
    archives="압축 파일 {n}개, 압축을 풀고 다시 실행하십시오:",
    gate_off="--no-gate로 선별했습니다.",
    gate_off_means=(
        "바로 선 정면 흉부 영상이 아닌 그림에도 점수가 있으며, 그 점수는 의미가 없습니다."
    ),
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
        abnormal_score="이상 점수 (0–100)",
        likeliest="가장 가까운 분류와 이유",
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
        by_time="촬영 시각",
        by_path="파일 이름",
        shown="검사 {total}건 중 {shown}건 표시",
    ),
    faults=FaultWords(
        heading="이 목록으로 일하지 마십시오.",
        unmeasured="모델 {model}은(는) 결핵이 있는 영상과 없는 영상에서 측정한 적이 없습니다.",
        chance=(
            "모델 {model}이(가) 결핵을 우연보다 잘 가려낸다는 근거가 없습니다"
            "(민감도 {sensitivity}, 특이도 {specificity})."
        ),
        low_specificity=(
            "모델 {model}은(는) 목표에 이르지 못했습니다. 결핵이 없는 100명 중 약 {referred}명을 "
            "의뢰하게 됩니다(특이도 {specificity})."
        ),
        low_in_hospital=(
            "모델 {model}은(는) {hospital}에서 목표에 이르지 못했습니다. 결핵이 없는 100명 중 약 "
            "{referred}명을 의뢰하게 됩니다(특이도 {specificity})."
        ),
    ),
    why=WhyWords(
        tb_reached="결핵 점수가 모델 기준값 {threshold} 이상입니다.",
        tb_reached_here="결핵 점수가 이 기관의 기준값 {threshold} 이상입니다.",
        tb_likeliest=(
            "가장 가까운 분류가 결핵이어서 점수와 관계없이 추가 검사 대상입니다"
            "(기준값 {threshold})."
        ),
        score_decides="가장 가까운 분류와 관계없이 점수로 정합니다.",
        abnormal_reached="이상 점수 {score}: 기준값 {threshold} 이상입니다.",
        abnormal_likeliest=(
            "이상 점수 {score}는 기준값 {threshold}보다 낮지만, 가장 가까운 분류가 정상이 아닙니다."
        ),
        uncertain="두 기준값보다 낮지만 배제할 수 없습니다: {classes}.",
        uncertain_none="두 기준값보다 낮지만 맞는 분류가 없는 영상입니다.",
        clear="두 기준값(결핵 {tb}, 이상 {abnormal})보다 낮고, 가장 가까운 분류가 정상입니다.",
    ),
    patient_id="환자번호 {id}",
    sexes={"M": "남", "F": "여"},
    sex_and_age="{sex} {years}세",
    age="{years}세",
    one_examination="한 검사의 {films}: 가장 급한 영상을 따릅니다",
    tb_score="결핵 점수 {score}",
    small_abnormal_score="이상 점수",
    small_score="결핵 점수",
    film_picture="영상 {rank}, 축소",
    plain_picture="영상 {rank}, 색 없음",
    show_heat="영상 {rank}: 점수가 나온 자리 보기",
    heat_caption="{name}: 점수가 나온 자리이며, 무엇이 있는지를 보여 주지는 않습니다.",
    heat_picture="영상 {rank}, 색 표시",
    heat_scale="빨간색은 점수와 관계없이 이 영상에서 가장 강한 자리입니다.",
    picture_file="그림 파일",
    hidden_picture="이름이 보일 수 있어 표시하지 않습니다.",
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
    papers=PaperWords(
        summary_name="하루 요약",
        summary_title="{date} 흉부 영상 요약",
        with_model="{time}, {model}(으)로 정렬, 결핵 기준값 {threshold}(모델의 값).",
        with_site="{time}, {model}(으)로 정렬, 결핵 기준값 {threshold}(이 기관의 값).",
        basis="프로그램이 순서를 정한 것이며, 아직 아무도 판독하지 않았습니다.",
        referred="결핵 추가 검사 대상",
        nobody="결핵 추가 검사 대상이 없습니다.",
        more="그 밖에 {n}건: 목록을 보십시오.",
        not_screened="선별 안 됨: 사람이 판독",
        all_screened="모든 영상을 선별했습니다.",
        seen_by="확인한 의사(이름, 서명)",
        date_time="날짜와 시각",
        slip_title="결핵 추가 검사 의뢰서",
        number="번호",
        why="프로그램이 정렬한 흉부 영상입니다. 결핵 점수 {score}, 의뢰 기준값 {threshold}.",
        patient_name="환자",
        patient_number="환자번호",
        requested_by="의뢰자",
        tests_asked="의뢰하는 검사(사업 지침에 따라):",
        tests=(
            "신속 분자 검사(NAAT)",
            "객담 도말",
            "객담 배양",
            "혈액 검사(IGRA)",
            "기타: __________",
        ),
        result="검사실 결과",
        results=("결핵균 검출", "검출 안 됨", "판정 불가, 재검", "리팜핀 내성"),
        laboratory="검사실, 서명",
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
            "모델이 결핵에 둔 몫, 정상에서 벗어난 정도, 폐에서 가장 두드러진 부위의 값 가운데 "
            "일부를 반영합니다. 모델 카드의 설명 –"
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
            "헤더에 글자가 새겨져 있다고 적힌 영상(BurnedInAnnotation), 화면 사본, 컬러 영상은 "
            "이름 표시를 요청하지 않으면 그림을 표시하지 않습니다."
        ),
        small_print=(
            "점수 막대의 선이 기준값입니다. 그림은 축소한 것이므로 판독에 쓰지 마십시오. 파일 "
            "경로는 영상을 찾을 수 있도록 표시합니다. 번호는 이 페이지의 위에서부터 센 것입니다. "
            "worklist.csv는 묶음마다 결핵 점수 순서여서, 이상 영상이나 한 검사의 영상은 순위가 "
            "다를 수 있습니다."
        ),
    ),
)

_SENTENCES: Final = {
    (
        "No film of these lists is ticked as TB confirmed or ruled out: tick them in cxr-desk, or "
        "name a label file with --labels."
    ): (
        "이 목록에는 결핵 확진 또는 아님으로 표시한 영상이 없습니다. cxr-desk에서 표시하거나 "
        "--labels로 결과 파일을 지정하십시오."
    ),
    "{} cannot be written ({}): free the disk or name another file.": (
        "{0}에 쓸 수 없습니다({1}). 디스크를 비우거나 다른 파일을 지정하십시오."
    ),
    "{} films found, {} fetched": "영상 {0}개 가운데 {1}개를 가져왔습니다",
    "{} was rejected by cxr-export and screens nothing: {}": (
        "{0}은(는) cxr-export가 거부한 모델이라 선별에 쓸 수 없습니다: {1}"
    ),
    "Results cannot be written into {} ({}): free the disk or name another folder with "
    "--dicom-out.": (
        "{0}에 결과를 쓸 수 없습니다({1}). 디스크를 비우거나 --dicom-out으로 다른 "
        "폴더를 지정하십시오."
    ),
    "{} does not answer ({}): check URL and network.": (
        "{0}이(가) 응답하지 않습니다({1}). 주소와 네트워크를 확인하십시오."
    ),
    "{} has a certificate that is not trusted here: name its --tls-ca ({}).": (
        "{0}의 인증서를 여기서 신뢰할 수 없습니다. --tls-ca를 지정하십시오({1})."
    ),
    "Films cannot be kept in {} ({}): free the disk and run again, it goes on where it stopped.": (
        "{0}에 영상을 보관할 수 없습니다({1}). 디스크를 비우고 다시 실행하면 멈춘 "
        "곳부터 이어집니다."
    ),
    "The outbox in {} cannot be kept ({}): free the disk, or move {} away and run again; what was "
    "made is found again by its UID.": (
        "{0}의 보낼 편지함을 보관할 수 없습니다({1}). 디스크를 비우거나 {2}을(를) 옮기고 다시 "
        "실행하십시오. 만든 것은 UID로 다시 찾습니다."
    ),
    "The film was changed since it was screened.": "선별한 뒤에 영상이 바뀌었습니다.",
    "The film is no DICOM object of a study and a series, so no result can belong to it.": (
        "검사와 시리즈가 있는 DICOM 영상이 아니어서 결과를 붙일 수 없습니다."
    ),
    "QualityControlImage (0028,0300) is 'YES': the film is of no patient.": (
        "QualityControlImage (0028,0300) 값이 'YES'이므로 환자의 영상이 아닙니다."
    ),
    "Films cannot be kept in {} ({}): free the disk or name another folder with --out.": (
        "{0}에 영상을 보관할 수 없습니다({1}). 디스크를 비우거나 --out으로 다른 "
        "폴더를 지정하십시오."
    ),
    "No log can be written in {} ({}).": "{0}에 기록을 쓸 수 없습니다({1}).",
    "The desk cannot listen on {}:{} ({}): name this PC's own address and a free port.": (
        "{0}:{1}에서 페이지를 열 수 없습니다({2}). 이 PC의 주소와 비어 있는 포트를 지정하십시오."
    ),
    "The desk cannot start its server; check the TLS files.": (
        "페이지를 여는 서버를 시작할 수 없습니다. TLS 파일을 확인하십시오."
    ),
    "This list was made with other thresholds, which opening it must not change: name {}.": (
        "이 목록은 다른 기준값으로 만들었고, 열기만 해도 바뀌면 안 됩니다. {0} 옵션을 지정하십시오."
    ),
    "This list was made with the model {} {}, not with {} {}: name its file with --model.": (
        "이 목록은 {2} {3}이(가) 아니라 {0} {1} 모델로 만들었습니다. --model로 파일을 지정하십시오."
    ),
    "{} is not a list that cxr-infer wrote: screen the films again.": (
        "{0}은(는) cxr-infer가 만든 목록이 아닙니다. 영상을 다시 선별하십시오."
    ),
    "{} cannot be read, so this list cannot be opened: screen the films again.": (
        "{0}을(를) 읽을 수 없어 목록을 열 수 없습니다. 영상을 다시 선별하십시오."
    ),
    # The terminal.
    "--no-gate: pictures that are no frontal chest film have scores too.": (
        "--no-gate: 흉부 정면 영상이 아닌 그림에도 점수가 있습니다."
    ),
    "Starting ...": "시작하는 중 ...",
    "{} of {} films, about {} min left": "영상 {1}장 중 {0}장, 약 {2}분 남음",
    "{} of {} films, about {} s left": "영상 {1}장 중 {0}장, 약 {2}초 남음",
    "{} watching: {} listed, {} arriving": "{0} 지켜보는 중: 목록 {1}장, 들어오는 중 {2}장",
    "{} cannot be opened ({}), trying again": "{0}을(를) 열 수 없습니다({1}). 다시 시도합니다",
    "The desk is open: {}": "프로그램을 열었습니다: {0}",
    "From the second PC, with the password: {}": "다른 PC에서 비밀번호로 여는 주소: {0}",
    "Press Control-C here to end it. Research use only: not a diagnosis.": (
        "끝내려면 여기에서 Control-C를 누르십시오. 연구용이며 진단이 아닙니다."
    ),
    "No browser opened: open the address above.": (
        "브라우저가 열리지 않았습니다. 위의 주소를 여십시오."
    ),
    "Ended: the list holds every film that had arrived.": (
        "끝났습니다. 들어온 영상은 모두 목록에 있습니다."
    ),
    "{} is open in another program, the list is in {}": (
        "다른 프로그램이 {0}을(를) 열고 있어 목록은 {1}에 있습니다"
    ),
    "{} of {} screened with {} {}.": "{2} {3}(으)로 {1}개 중 {0}장 선별.",
    "TB threshold {} of {} ({}).": "결핵 기준값 {0}, {1} ({2}).",
    "Examinations, each in the group of its most urgent film:": (
        "검사 건수(가장 급한 영상의 묶음으로 셈):"
    ),
    "First in line, by TB score:": "결핵 점수가 높은 순서:",
    "Packed files not looked into ({}), unpack them first:": (
        "보지 않은 압축 파일({0}), 먼저 압축을 푸십시오:"
    ),
    "Packed, so not looked into: {}": "압축되어 보지 않음: {0}",
    "List: {}": "목록: {0}",
    "Page: {}": "페이지: {0}",
    "Paper: {}": "인쇄물: {0}",
    "Research use only: not a diagnosis.": "연구용이며 진단이 아닙니다.",
    "{} is open in another program, so this list is in {}: close it there and run again.": (
        "다른 프로그램이 {0}을(를) 열고 있어 이 목록은 {1}에 있습니다. 그 프로그램에서 닫고 다시 "
        "실행하십시오."
    ),
    "Interrupted: the list holds only the films screened so far.": (
        "중단됨: 목록에는 지금까지 선별한 영상만 있습니다."
    ),
    "Interrupted: no new list was written.": "중단됨: 새 목록을 쓰지 않았습니다.",
    "Interrupted: nothing was written.": "중단됨: 아무것도 쓰지 않았습니다.",
    "Stopped: the list holds every film that had arrived.": (
        "멈춤: 목록에는 들어온 영상이 모두 있습니다."
    ),
    "the folder {} cannot be opened.": "{0} 폴더를 열 수 없습니다.",
    "no X-ray film found, so nothing was written: check the folder.": (
        "X선 영상이 없어 아무것도 쓰지 않았습니다. 폴더를 확인하십시오."
    ),
    "no X-ray film found (other files: {}), so nothing was written: check the folder.": (
        "X선 영상이 없어(다른 파일 {0}개) 아무것도 쓰지 않았습니다. 폴더를 확인하십시오."
    ),
    "Today's TB scores are not spread like those of {} ({} films, stability index {}): an unusual "
    "mix of patients does this, and so does a changed machine, export or window, so look at a few "
    "films and do not rely on the threshold until you know why.": (
        "오늘의 결핵 점수 분포가 {0}과(와) 다릅니다(영상 {1}장, 안정성 지수 {2}). 환자 구성이 "
        "평소와 다르거나 장비, 내보내기, 창 설정이 바뀌면 이렇게 됩니다. 영상 몇 장을 살펴보고, "
        "원인을 알기 전에는 기준값을 믿지 마십시오."
    ),
    "this clinic's calibration days": "이 기관의 보정일",
    "the model's validation films": "모델의 검증 영상",
    # `cxr-calibrate`.
    "Site file: {} ({})": "기관 파일: {0} ({1})",
    "Use it: cxr-infer FOLDER --site {}": "사용: cxr-infer 폴더 --site {0}",
    "Label file, {}": "라벨 파일, {0}",
    "warning: {}": "경고: {0}",
    "line {}: {}.": "{0}행: {1}.",
    "lines {}: {}.": "{0}행: {1}.",
    "no film of the worklists has this path or UID": "목록에 이 경로나 UID의 영상이 없음",
    "several films have this path or UID": "이 경로나 UID의 영상이 여러 장",
    "a spreadsheet has rewritten the path (0012345 becomes 12345, 3-11 a date)": (
        "스프레드시트가 경로를 바꿈(0012345가 12345로, 3-11이 날짜로)"
    ),
    "tb is neither 0 nor 1": "tb가 0도 1도 아님",
    "tb is empty: no result yet": "tb가 비어 있음, 아직 결과 없음",
    "the film has this label already": "이미 같은 라벨이 있는 영상",
    "the film is labelled both 0 and 1, so it is left out": "0과 1 라벨이 모두 있어 제외",
    "the film was not screened": "선별하지 않은 영상",
    "Labelled films: {}, {} with TB and {} without; worklists: {}; {} {}.": (
        "라벨이 있는 영상 {0}장, 결핵 {1}장, 결핵 아님 {2}장; 목록 {3}개; {4} {5}."
    ),
    "Counted as the worklist decides: a film is referred when its TB score reaches the threshold, "
    "or when tuberculosis is its likeliest class, whatever the threshold (here {} of the {} films "
    "with TB).": (
        "목록이 정하는 대로 셉니다. 결핵 점수가 기준값에 이르거나, 기준값과 관계없이 가장 가까운 "
        "분류가 결핵이면 의뢰합니다(결핵 영상 {1}장 중 {0}장)."
    ),
    "In brackets: 95 % intervals, which take every film for another patient: several films of one "
    "patient make them too narrow.": (
        "괄호 안은 95 % 구간이며 영상마다 다른 환자로 봅니다. 한 환자의 영상이 여러 장이면 "
        "실제보다 좁습니다."
    ),
    "The threshold is chosen and measured on the same films, so the next ones will do a little "
    "worse: check it on later days.": (
        "기준값을 정한 영상으로 재었으므로 다음 영상에서는 조금 나빠집니다. 이후 날짜의 영상으로 "
        "확인하십시오."
    ),
    "Highest threshold that finds at least {} of the {} films with TB: {} (finds {}, {} %).": (
        "결핵 영상 {1}장의 {0} 이상을 찾는 가장 높은 기준값: {2} ({3}장 찾음, {4} %)."
    ),
    "{} more films with TB are needed: a sensitivity of {} takes {}, with which its 95 % interval "
    "begins at {} or higher; there are {}.": (
        "결핵 영상이 {0}장 더 필요합니다. 민감도 {1}에는 95 % 구간이 {3} 이상에서 시작하도록 "
        "{2}장이 필요한데 {4}장 있습니다."
    ),
    "{} more films without TB are needed: at least {} show how many would be referred for nothing; "
    "there are {}.": (
        "결핵이 아닌 영상이 {0}장 더 필요합니다. 헛되이 의뢰되는 수를 알려면 {1}장 이상 있어야 "
        "하는데 {2}장 있습니다."
    ),
    "None of the {} films that were not referred has a label, so nobody knows how many with TB are "
    "among them: test some of these patients too, chosen at random.": (
        "의뢰되지 않은 영상 {0}장에 라벨이 하나도 없어 그 가운데 결핵이 몇 장인지 알 수 없습니다. "
        "이 환자들 중에서도 무작위로 뽑아 검사하십시오."
    ),
    "{} of {} films not referred have a label, but {} of {} referred ones: films with TB that the "
    "model overlooked are missing here, so the true sensitivity is lower than the table says.": (
        "의뢰되지 않은 영상은 {1}장 중 {0}장, 의뢰된 영상은 {3}장 중 {2}장에 라벨이 있습니다. "
        "모델이 놓친 결핵 영상이 빠져 있어 실제 민감도는 표보다 낮습니다."
    ),
    "At this threshold films without TB may be referred as often as films with it: the model does "
    "not tell them apart on your films, so do not rely on it.": (
        "이 기준값에서는 결핵이 아닌 영상도 결핵 영상만큼 의뢰될 수 있습니다. 이 기관의 영상에서 "
        "모델이 둘을 가려내지 못하므로 믿지 마십시오."
    ),
    "At or": "기준값",
    "above      TP    FP    FN    TN  sensitivity %        specificity %": (
        "이상       TP    FP    FN    TN  민감도 %             특이도 %"
    ),
    "If {} of the patients have TB:": "환자의 {0}가 결핵일 때:",
    "As observed, {} with TB:": "관찰된 대로, {0}가 결핵일 때:",
    "above   PPV %               NPV %                 referred of 1,000": (
        "이상    양성 예측도 %       음성 예측도 %         1,000명 중 의뢰"
    ),
    "* chosen   = in use when the films were screened": "* 선택   = 선별할 때 사용한 값",
    # `--check`.
    "cxr-infer {}, Python {}, {}": "cxr-infer {0}, Python {1}, {2}",
    "Processor: {}, {} cores to use of {} logical; {}": (
        "프로세서: {0}, 논리 코어 {2}개 중 {1}개 사용; {3}"
    ),
    "Memory:    {} GiB, {} GiB free": "메모리: {0} GiB, 여유 {1} GiB",
    "Memory:    {} GiB": "메모리: {0} GiB",
    "Libraries: {}": "라이브러리: {0}",
    "Self-test: FAILED: {}": "자체 시험: 실패: {0}",
    "Self-test: passed: {}": "자체 시험: 통과: {0}",
    "Self-test: FAILED: {}; copy the model file again, then reinstall cxr-edge": (
        "자체 시험: 실패: {0}. 모델 파일을 다시 복사하고, 그래도 안 되면 cxr-edge를 다시 "
        "설치하십시오"
    ),
    "{} {}, largest difference {} of a logit, {} allowed, {} ms": (
        "{0} {1}, 로짓의 가장 큰 차이 {2}, 허용 {3}, {4} ms"
    ),
    "Decoders:  {} of {} kinds of film can be read": (
        "디코더: 영상 {1}종류 중 {0}종류를 읽을 수 있음"
    ),
    "  NOT READ: {}": "  읽지 못함: {0}",
    "Speed:     at most, films of {} x {}, {} processes, no other work": (
        "속도: 최대값, {0} x {1} 영상, 프로세스 {2}개, 다른 작업이 없을 때"
    ),
    "Ready to screen films.": "영상을 선별할 수 있습니다.",
    "Ready to screen films of the kinds that can be read.": (
        "읽을 수 있는 종류의 영상을 선별할 수 있습니다."
    ),
    "This PC must not screen films.": "이 PC로는 영상을 선별하면 안 됩니다.",
    # Parts that are filled in.
    "{} is '{}'": "{0} 값이 '{1}'",
    "{} is empty": "{0} 값이 비어 있음",
    "{} says '{}'": "{0}에 '{1}'",
    "{} is {}, {} is {}": "{0} {1}, {2} {3}",
    "about {} years old by {}": "{1}로 보아 약 {0}세",
    " by its {}": "({0} 때문)",
    " in its window, {} and {}": "(창 {0}, {1} 때문)",
    "functions of its own": "자체 함수",
    "a graph inside its node '{}'": "노드 '{0}' 안의 그래프",
    "copy it again or export it again from its source": (
        "다시 복사하거나 원본에서 다시 내보내십시오"
    ),
    "its header alone is larger than a film": "헤더만으로도 영상 한 장보다 큼",
    "its deflated content exceeds {} MB": "압축을 푼 내용이 {0} MB를 넘음",
    "its compressed picture has {} MB": "압축된 영상이 {0} MB",
    "one part of it has {} MB": "한 부분이 {0} MB",
    "its file has {} MB": "파일이 {0} MB",
    "decoding it would take {} MB of memory": "읽는 데 메모리 {0} MB가 필요함",
    "a lossless or {} bit JPEG": "무손실 또는 {0}비트 JPEG",
    "a {} bit TIFF of an unusual kind": "특수한 {0}비트 TIFF",
    # Files that cannot be read.
    "The picture is cut off: its JPEG data end before the picture does; copy it again or export it "
    "again from its source.": (
        "영상이 중간에 잘렸습니다. JPEG 데이터가 모자랍니다. 다시 복사하거나 원본에서 다시 "
        "내보내십시오."
    ),
    "The picture is damaged: its JPEG data cannot be decoded without gaps; copy it again or export "
    "it again from its source.": (
        "영상이 손상되었습니다. JPEG 데이터에 빠진 부분이 있습니다. 다시 복사하거나 원본에서 다시 "
        "내보내십시오."
    ),
    "The picture is cut off: its JPEG 2000 data end before the picture does; copy it again or "
    "export it again from its source.": (
        "영상이 중간에 잘렸습니다. JPEG 2000 데이터가 모자랍니다. 다시 복사하거나 원본에서 다시 "
        "내보내십시오."
    ),
    "The picture is damaged: its JPEG 2000 data cannot be decoded without gaps; copy it again or "
    "export it again from its source.": (
        "영상이 손상되었습니다. JPEG 2000 데이터에 빠진 부분이 있습니다. 다시 복사하거나 원본에서 "
        "다시 내보내십시오."
    ),
    "The picture is damaged: its RLE compressed data cannot be decoded.": (
        "영상이 손상되었습니다. RLE 압축 데이터를 풀 수 없습니다."
    ),
    "The file is cut off: the RLE compressed picture is incomplete.": (
        "파일이 중간에 잘렸습니다. RLE 압축 영상이 완전하지 않습니다."
    ),
    "The picture is damaged: its compressed data cannot be decoded.": (
        "영상이 손상되었습니다. 압축 데이터를 풀 수 없습니다."
    ),
    "The compressed picture cannot be read here: it has {} samples of {} bits per pixel.": (
        "여기서 읽을 수 없는 압축 영상입니다. 화소마다 {1}비트 값이 {0}개입니다."
    ),
    "The DICOM header is damaged.": "DICOM 헤더가 손상되었습니다.",
    "The film's grey scale is damaged: {} cannot be used.": (
        "영상의 밝기 정보가 손상되었습니다. {0}을 쓸 수 없습니다."
    ),
    "The file is cut off: PixelData (7FE0,0010) ends before the picture is complete.": (
        "파일이 중간에 잘렸습니다. PixelData (7FE0,0010)가 영상보다 먼저 끝납니다."
    ),
    "The picture is damaged: PixelData (7FE0,0010) is not wrapped as TransferSyntaxUID (0002,0010) "
    "'{}' demands.": (
        "영상이 손상되었습니다. PixelData (7FE0,0010)가 TransferSyntaxUID (0002,0010) '{0}'의 "
        "형식이 아닙니다."
    ),
    "The picture is damaged: PixelData (7FE0,0010) holds more than Rows (0028,0010) and Columns "
    "(0028,0011) say.": (
        "영상이 손상되었습니다. PixelData (7FE0,0010)가 Rows (0028,0010)와 Columns (0028,0011)보다 "
        "큽니다."
    ),
    "The picture is damaged: PixelData (7FE0,0010) is followed by something that is no element.": (
        "영상이 손상되었습니다. PixelData (7FE0,0010) 뒤의 내용을 알 수 없습니다."
    ),
    "The picture is damaged: the parts of PixelData (7FE0,0010) are out of order.": (
        "영상이 손상되었습니다. PixelData (7FE0,0010)의 조각 순서가 틀렸습니다."
    ),
    "The picture cannot be read here: {} is {}; 8 and 16 can be read.": (
        "여기서 읽을 수 없는 영상입니다. {0} 값이 {1}이며, 8과 16만 읽을 수 있습니다."
    ),
    "The picture cannot be read here: {} is {}; 1 and 3 can be read.": (
        "여기서 읽을 수 없는 영상입니다. {0} 값이 {1}이며, 1과 3만 읽을 수 있습니다."
    ),
    "The film is compressed in a way that cannot be read here: TransferSyntaxUID (0002,0010) is "
    "'{}'.": (
        "여기서 풀 수 없는 방식으로 압축된 영상입니다. TransferSyntaxUID (0002,0010) 값이 "
        "'{0}'입니다."
    ),
    "The picture is damaged: {} and {} say {} x {}, the compressed picture says {} x {}.": (
        "영상이 손상되었습니다. {0}, {1}는 {2} x {3}인데 압축 영상은 {4} x {5}입니다."
    ),
    "The picture is damaged: it decodes to another size than its header says.": (
        "영상이 손상되었습니다. 풀어 보니 헤더에 적힌 크기와 다릅니다."
    ),
    "The file is cut off: it ends before its picture.": (
        "파일이 중간에 잘렸습니다. 영상이 시작되기 전에 끝납니다."
    ),
    "The file cannot be opened: {}.": "파일을 열 수 없습니다: {0}.",
    "This cannot be opened: it is not a regular file.": "일반 파일이 아니어서 열 수 없습니다.",
    "The file is too large for one film: {} GiB, the limit is 1 GiB.": (
        "영상 한 장으로는 너무 큰 파일입니다. {0} GiB이며, 한도는 1 GiB입니다."
    ),
    "The file is still being written, so it is not screened yet; run again when it is there.": (
        "파일을 아직 쓰는 중이어서 선별하지 않았습니다. 다 복사된 뒤에 다시 실행하십시오."
    ),
    "The file is still arriving, or not screened yet; it is looked at again by itself.": (
        "파일이 아직 들어오는 중이거나 아직 선별하지 않았습니다. 자동으로 다시 확인합니다."
    ),
    "The picture is too large: {}; export it at its usual size.": (
        "영상이 너무 큽니다({0}). 보통 크기로 내보내십시오."
    ),
    "The file ends before the picture does; {}.": "파일이 영상보다 먼저 끝납니다. {0}.",
    "The picture in this file is damaged; {}.": "파일 안의 영상이 손상되었습니다. {0}.",
    "The file is {}, which cannot be read here; export it as DICOM or as an ordinary PNG.": (
        "여기서 읽을 수 없는 파일입니다({0}). DICOM이나 보통 PNG로 내보내십시오."
    ),
    "The file is a BigTIFF, which cannot be read here; export it as DICOM or as a PNG.": (
        "여기서 읽을 수 없는 BigTIFF 파일입니다. DICOM이나 PNG로 내보내십시오."
    ),
    "The tags of this TIFF file are damaged (tag {} has type {}); export it again.": (
        "TIFF 파일의 태그가 손상되었습니다(태그 {0}의 형식 {1}). 다시 내보내십시오."
    ),
    "The list of pages in this TIFF file is damaged; export it again.": (
        "TIFF 파일의 쪽 목록이 손상되었습니다. 다시 내보내십시오."
    ),
    "The picture in this TIFF file is damaged; copy it again or export it again from its source.": (
        "TIFF 파일의 영상이 손상되었습니다. 다시 복사하거나 원본에서 다시 내보내십시오."
    ),
    "The file ends before the picture does; copy it again or export it again from its source.": (
        "파일이 영상보다 먼저 끝납니다. 다시 복사하거나 원본에서 다시 내보내십시오."
    ),
    "This picture format cannot be read here; save it as DICOM, PNG, JPEG, TIFF or BMP.": (
        "여기서 읽을 수 없는 영상 형식입니다. DICOM, PNG, JPEG, TIFF, BMP로 저장하십시오."
    ),
    "This is not an image: its content is neither DICOM nor a picture.": (
        "영상이 아닙니다. 내용이 DICOM도 그림도 아닙니다."
    ),
    "The file is empty.": "빈 파일입니다.",
    "Reading this file took longer than {} seconds, so it was given up; export it again from the "
    "X-ray machine or the archive.": (
        "파일을 읽는 데 {0}초가 넘어 그만두었습니다. 촬영 장비나 보관소에서 다시 내보내십시오."
    ),
    "There was not enough memory to read this file; close other programs and run again.": (
        "메모리가 모자라 파일을 읽지 못했습니다. 다른 프로그램을 닫고 다시 실행하십시오."
    ),
    "The picture in this file makes the decoder crash, so the file is probably damaged; export it "
    "again from the X-ray machine or the archive.": (
        "영상을 읽다가 프로그램이 멈추었습니다. 파일이 손상된 듯합니다. 촬영 장비나 보관소에서 "
        "다시 내보내십시오."
    ),
    # Sound files that the model is not for.
    "This is a colour picture, not a film: {} is '{}'.": (
        "X선 영상이 아닌 컬러 영상입니다. {0} 값이 '{1}'입니다."
    ),
    "The patient is a child, and the model is for {} years and older: {}.": (
        "소아 영상이며, 이 모델은 {0}세 이상에만 씁니다: {1}."
    ),
    "This is not a chest film: {}.": "흉부 영상이 아닙니다: {0}.",
    "This is not a frontal view: {}.": "정면 영상이 아닙니다: {0}.",
    "This is a DICOMDIR, the index of a disc, not a film.": (
        "영상이 아니라 디스크의 목차(DICOMDIR)입니다."
    ),
    "This is a screen capture or scan that does not say it is a chest film: {} and no {} or "
    "description names the chest.": (
        "흉부 영상이라는 표시가 없는 화면 사본이나 스캔입니다: {0}이며, {1}에도 설명에도 흉부가 "
        "없습니다."
    ),
    "This is not an X-ray film: {}.": "일반 X선 촬영 영상이 아닙니다: {0}.",
    "This is the detector's raw picture, not the film: {}; send the picture FOR PRESENTATION "
    "instead.": (
        "판독용 영상이 아니라 검출기의 원시 영상입니다: {0}. FOR PRESENTATION 영상을 보내십시오."
    ),
    "This is a result of this program, not a film: {}.": (
        "촬영 영상이 아니라 이 프로그램이 만든 결과입니다: {0}."
    ),
    "This is a series of pictures, not one film: {}.": "한 장이 아니라 여러 장의 영상입니다: {0}.",
    "There is no picture in this file: {} is missing or 0.": (
        "파일 안에 영상이 없습니다. {0} 값이 없거나 0입니다."
    ),
    "The picture is too small for a film: {}; the shorter side must have {} pixels.": (
        "영상이 너무 작습니다({0}). 짧은 쪽이 {1}화소 이상이어야 합니다."
    ),
    "The picture is too large: {}; the limit is 120 megapixels.": (
        "영상이 너무 큽니다({0}). 한도는 1억 2천만 화소입니다."
    ),
    "There is no picture in this file: PixelData (7FE0,0010) is missing or empty.": (
        "파일 안에 영상이 없습니다. PixelData (7FE0,0010)가 없거나 비어 있습니다."
    ),
    "There is no picture in this file: its pixels are measurements (float pixel data).": (
        "파일 안에 영상이 없습니다. 화소가 측정값(float pixel data)입니다."
    ),
    "The picture lies on its side: turn it at the workstation and send it again.": (
        "영상이 옆으로 누워 있습니다. 촬영 워크스테이션에서 돌린 뒤 다시 보내십시오."
    ),
    "The picture does not look like a chest film: check which file was sent; if it is a chest "
    "film, a doctor must read it.": (
        "흉부 영상으로 보이지 않습니다. 어떤 파일이 왔는지 확인하십시오. 흉부 영상이 맞으면 의사가 "
        "판독해야 합니다."
    ),
    "The picture looks like a lateral chest film: screen the frontal film of this examination.": (
        "측면 흉부 영상으로 보입니다. 이 검사의 정면 영상을 선별하십시오."
    ),
    "The picture is upside down: turn it at the workstation and send it again.": (
        "영상의 위아래가 뒤집혔습니다. 촬영 워크스테이션에서 돌린 뒤 다시 보내십시오."
    ),
    "The picture is inverted, its bones are dark: invert it at the workstation and send it "
    "again.": (
        "흑백이 반전되어 뼈가 어둡습니다. 촬영 워크스테이션에서 반전을 되돌린 뒤 다시 보내십시오."
    ),
    "The picture does not show both lungs whole: repeat the film, or let a doctor read it.": (
        "양쪽 폐가 모두 보이지 않습니다. 다시 촬영하거나 의사가 판독하게 하십시오."
    ),
    "The picture is blank, clipped, or far too dark or light: send it with another window, or "
    "repeat the film.": (
        "빈 영상이거나 밝기가 잘렸거나 너무 어둡거나 밝습니다. 윈도를 바꾸어 다시 보내거나 다시 "
        "촬영하십시오."
    ),
    "The picture looks like a photograph of a film, or a film within another picture: send the "
    "film itself from the X-ray machine or the archive.": (
        "영상을 찍은 사진이거나 다른 그림 속의 영상으로 보입니다. X선 장비나 보관소에서 원본 "
        "영상을 보내십시오."
    ),
    "The film lay on its side and was turned to the right before it was screened.": (
        "옆으로 누운 영상을 오른쪽으로 돌려 선별했습니다."
    ),
    "The film lay on its side and was turned to the left before it was screened.": (
        "옆으로 누운 영상을 왼쪽으로 돌려 선별했습니다."
    ),
    "The film was upside down and was turned before it was screened.": (
        "위아래가 뒤집힌 영상을 돌려 선별했습니다."
    ),
    "The film was inverted and was made bones bright before it was screened.": (
        "흑백이 반전된 영상을 되돌려 선별했습니다."
    ),
    "Doubtful, whatever the scores say (gate {} of 100): {}": (
        "점수와 관계없이 의심스럽습니다(영상 검사 100점 중 {0}점). {1}"
    ),
    "Screened with --no-gate: nobody checked that this is an upright frontal chest film.": (
        "--no-gate로 선별했습니다. 바로 선 정면 흉부 영상인지 확인하지 않았습니다."
    ),
    "Screened with --no-gate against what the gate says: {}": (
        "영상 검사 결과와 달리 --no-gate로 선별했습니다. {0}"
    ),
    "The picture is blank: all of it has the same grey{}.": "전체가 같은 밝기인 빈 영상입니다{0}.",
    "The file holds {} pictures instead of one; save each film as a file of its own.": (
        "파일 하나에 영상이 {0}장 있습니다. 한 장씩 따로 저장하십시오."
    ),
    "The picture has {} x {} pixels, more than the 120 million of the largest film; export it at "
    "its usual size.": (
        "영상이 {0} x {1}화소로, 가장 큰 영상(1억 2천만 화소)보다 큽니다. 보통 크기로 내보내십시오."
    ),
    "The picture has only {} x {} pixels, too few for a chest film (at least {} on the shorter "
    "side); export the full-size picture.": (
        "영상이 {0} x {1}화소뿐이어서 흉부 영상으로는 너무 작습니다(짧은 쪽 {2}화소 이상). 원래 "
        "크기로 내보내십시오."
    ),
    "Most of the picture is hidden by its transparency; export it without transparency.": (
        "투명도 때문에 영상이 거의 보이지 않습니다. 투명도 없이 내보내십시오."
    ),
    "The picture is in colour, so it is not a plain X-ray film; export the film itself in grey.": (
        "컬러여서 일반 X선 영상이 아닙니다. 원본을 흑백으로 내보내십시오."
    ),
    "The picture shows the same grey everywhere; check that the film was exposed and exported.": (
        "전체가 같은 밝기입니다. 촬영과 내보내기가 제대로 되었는지 확인하십시오."
    ),
    # What ends a command.
    "{} must have a column path or sop_instance_uid beside tb.": (
        "{0}에 tb 열과 함께 path 또는 sop_instance_uid 열이 있어야 합니다."
    ),
    "{} has no row below its headings: add one line for each film.": (
        "{0}에 제목 줄만 있습니다. 영상마다 한 줄씩 적으십시오."
    ),
    "{} and {} were made by different models ({}; {}): calibrate each model with its own lists.": (
        "{0}과(와) {1}은(는) 다른 모델의 목록입니다({2}; {3}). 모델마다 자기 목록으로 보정하십시오."
    ),
    "{} must hold rows of one model, and holds those of {}.": (
        "{0}에는 한 모델의 행만 있어야 하는데 {1}개 모델의 행이 있습니다."
    ),
    "{} was made by {}, which is not {} {}: give the {} written with it, or its model with "
    "--model.": (
        "{0}은(는) {1}(으)로 만들었으며 {2} {3}이(가) 아닙니다. 함께 만든 {4}을(를) 주거나 "
        "--model로 그 모델을 지정하십시오."
    ),
    "{} is not a worklist that cxr-infer wrote, or it is damaged: screen the films again.": (
        "{0}은(는) cxr-infer가 만든 목록이 아니거나 손상되었습니다. 영상을 다시 선별하십시오."
    ),
    "{} is not a worklist that cxr-infer wrote, or it was changed: give the {} beside it "
    "instead.": (
        "{0}은(는) cxr-infer가 만든 목록이 아니거나 바뀌었습니다. 옆에 있는 {1}을(를) 주십시오."
    ),
    "{} and {} beside it differ: give the .json instead.": (
        "{0}과(와) 옆의 {1}이(가) 다릅니다. .json 파일을 주십시오."
    ),
    "{} cannot be written ({}): free the disk or name another place with --support.": (
        "{0}을(를) 쓸 수 없습니다({1}). 디스크를 비우거나 --support로 다른 곳을 지정하십시오."
    ),
    "{} cannot be written ({}): free the disk or name another place with --out.": (
        "{0}을(를) 쓸 수 없습니다({1}). 디스크를 비우거나 --out으로 다른 곳을 지정하십시오."
    ),
    "{} of {} rows of the label file fit no film, more than {}, so nothing was written: check that "
    "it belongs to these worklists.": (
        "라벨 파일 {1}행 가운데 {0}행에 맞는 영상이 없어({2} 초과) 아무것도 쓰지 않았습니다. 이 "
        "목록의 라벨 파일인지 확인하십시오."
    ),
    "No screened film has a label, so there is nothing to count.": (
        "라벨이 있는 선별 영상이 없어 셀 것이 없습니다."
    ),
    "No site file: {}": "기관 파일을 만들지 않았습니다: {0}",
    "{} gives other scores on this PC than where it was made (a logit is off by {}): copy the file "
    "again, then reinstall cxr-edge.": (
        "{0}이(가) 이 PC에서 만든 곳과 다른 점수를 냅니다(로짓 차이 {1}). 파일을 다시 복사하고, "
        "그래도 안 되면 cxr-edge를 다시 설치하십시오."
    ),
    "The model file {} was changed during the run: run again.": (
        "실행 중에 모델 파일 {0}이(가) 바뀌었습니다. 다시 실행하십시오."
    ),
    "The worklist cannot be written into {} ({}): free the disk or name another folder with "
    "--out.": (
        "{0}에 목록을 쓸 수 없습니다({1}). 디스크를 비우거나 --out으로 다른 폴더를 지정하십시오."
    ),
    "The worklist cannot be written into {} ({}): close {} in the program that shows it and run "
    "again.": ("{0}에 목록을 쓸 수 없습니다({1}). {2}을(를) 연 프로그램을 닫고 다시 실행하십시오."),
    "The bundled model is missing from this installation: reinstall cxr-edge, or name a model with "
    "--model.": (
        "설치된 프로그램에 모델이 없습니다. cxr-edge를 다시 설치하거나 --model로 모델을 "
        "지정하십시오."
    ),
    "The model card's '{}' should be {} and is {}: re-export the model with cxr-export.": (
        "모델 카드의 '{0}'은(는) {1}이어야 하는데 {2}입니다. cxr-export로 모델을 다시 내보내십시오."
    ),
    "The model card's '{}' is not a finite number: re-export the model with cxr-export.": (
        "모델 카드의 '{0}' 값이 유한한 수가 아닙니다. cxr-export로 모델을 다시 내보내십시오."
    ),
    "The model card lacks '{}': re-export the model with cxr-export.": (
        "모델 카드에 '{0}'이(가) 없습니다. cxr-export로 모델을 다시 내보내십시오."
    ),
    "The graph in {} does not fit its card: re-export with cxr-export.": (
        "{0}의 그래프가 카드와 맞지 않습니다. cxr-export로 다시 내보내십시오."
    ),
    "{} expects preprocessing {}, this program does {}: install the version it was exported "
    "with.": (
        "{0}은(는) 전처리 {1}을 쓰는데 이 프로그램은 {2}입니다. 모델을 내보낸 버전을 설치하십시오."
    ),
    "The model in {} cannot be loaded by ONNX Runtime: copy it again, or re-export it.": (
        "ONNX Runtime이 {0}의 모델을 열지 못합니다. 다시 복사하거나 다시 내보내십시오."
    ),
    "The model {} {} failed while running in ONNX Runtime: copy its file again, or re-export it.": (
        "모델 {0} {1}이(가) ONNX Runtime에서 실행 중 실패했습니다. 파일을 다시 복사하거나 다시 "
        "내보내십시오."
    ),
    "The model in {} is newer than ONNX Runtime {} of this PC: update onnxruntime.": (
        "{0}의 모델이 이 PC의 ONNX Runtime {1}보다 새것입니다. onnxruntime을 갱신하십시오."
    ),
    "The model's gate gave no number: copy the model file again.": (
        "모델의 영상 검사가 숫자가 아닌 값을 냈습니다. 모델 파일을 다시 복사하십시오."
    ),
    "The model gave a score that is not a number: copy the model file again.": (
        "모델이 수가 아닌 점수를 냈습니다. 모델 파일을 다시 복사하십시오."
    ),
    "The model card has schema {}, this program reads {}.x: install the cxr-edge version the model "
    "was exported with, or re-export it.": (
        "모델 카드의 형식은 {0}인데 이 프로그램은 {1}.x를 읽습니다. 모델을 내보낸 cxr-edge 버전을 "
        "설치하거나 다시 내보내십시오."
    ),
    "The model card is larger than 1 MiB: re-export with cxr-export.": (
        "모델 카드가 1 MiB보다 큽니다. cxr-export로 다시 내보내십시오."
    ),
    "The model card's '{}' is impossible: re-export the model with cxr-export.": (
        "모델 카드의 '{0}' 값이 있을 수 없는 값입니다. cxr-export로 모델을 다시 내보내십시오."
    ),
    "The model card is damaged: copy the model file again.": (
        "모델 카드가 손상되었습니다. 모델 파일을 다시 복사하십시오."
    ),
    "The model in {} has {}, as no network has: re-export it.": (
        "{0}의 모델에 신경망에 없는 것이 있습니다({1}). 다시 내보내십시오."
    ),
    "{} has no model card: export it with cxr-export.": (
        "{0}에 모델 카드가 없습니다. cxr-export로 내보내십시오."
    ),
    "{} was changed after its card was written (hash differs): copy it again.": (
        "{0}이(가) 카드를 쓴 뒤에 바뀌었습니다(해시가 다름). 다시 복사하십시오."
    ),
    "this is not an ONNX model, or it is damaged: copy it again.": (
        "ONNX 모델이 아니거나 손상되었습니다. 다시 복사하십시오."
    ),
    "The model {} cannot be read: it is not a file. Check --model.": (
        "모델 {0}은(는) 파일이 아니어서 읽을 수 없습니다. --model을 확인하십시오."
    ),
    "The model file {} is larger than 128 MiB: it is not ours.": (
        "모델 파일 {0}이(가) 128 MiB보다 커서 이 프로그램의 모델이 아닙니다."
    ),
    "The model in {} was not ready after {} seconds, where others take one: copy it again, or "
    "re-export it.": (
        "{0}의 모델이 {1}초가 지나도 준비되지 않았습니다(보통 1초). 다시 복사하거나 다시 "
        "내보내십시오."
    ),
    "The model file {} cannot be read: {}. Check --model.": (
        "모델 파일 {0}을(를) 읽을 수 없습니다: {1}. --model을 확인하십시오."
    ),
    "{}: this is not an ONNX model, or it is damaged: copy it again.": (
        "{0}: ONNX 모델이 아니거나 손상되었습니다. 다시 복사하십시오."
    ),
    "{}: the model card is damaged: copy the file again.": (
        "{0}: 모델 카드가 손상되었습니다. 파일을 다시 복사하십시오."
    ),
    "the model card is damaged: copy the file again.": (
        "모델 카드가 손상되었습니다. 파일을 다시 복사하십시오."
    ),
    "The pictures cannot be written into {} ({}): free the disk or name another folder with "
    "--out.": (
        "{0}에 그림을 쓸 수 없습니다({1}). 디스크를 비우거나 --out으로 다른 폴더를 지정하십시오."
    ),
    "The list is written, but {} in {} is not ({}): close it in the program that shows it, or free "
    "the disk, and run again.": (
        "목록은 썼지만 {1}의 {0}은(는) 쓰지 못했습니다({2}). 그것을 연 프로그램을 닫거나 디스크를 "
        "비우고 다시 실행하십시오."
    ),
    "The list is written, but the picture {} in {} is not ({}): close it in the program that shows "
    "it and run again.": (
        "목록은 썼지만 {1}의 그림 {0}은(는) 쓰지 못했습니다({2}). 그림을 연 프로그램을 닫고 다시 "
        "실행하십시오."
    ),
    "The day in {} was kept by a newer cxr-edge: install that version, or name another folder with "
    "--out.": (
        "{0}의 기록은 더 새로운 cxr-edge가 만들었습니다. 그 버전을 설치하거나 --out으로 다른 "
        "폴더를 지정하십시오."
    ),
    "Another cxr-infer took over {} while this PC stood still, and goes on with it: look there, "
    "nothing is lost.": (
        "이 PC가 멈춘 사이 다른 cxr-infer가 {0}을(를) 이어받아 계속하고 있습니다. 그곳을 "
        "보십시오. 잃은 것은 없습니다."
    ),
    "Another cxr-infer (process {} on the PC {}) is working in {}: let it finish or end it and try "
    "again after a minute, or name another folder with --out.": (
        "다른 cxr-infer(PC {1}의 프로세스 {0})가 {2}에서 작업 중입니다. 끝나기를 기다리거나 끝낸 "
        "뒤 1분 후에 다시 하거나, --out으로 다른 폴더를 지정하십시오."
    ),
    "{} in {} is damaged ({}): move it away and run again; its films are screened anew, the lists "
    "stay until then.": (
        "{1}의 {0}이(가) 손상되었습니다({2}). 다른 곳으로 옮기고 다시 실행하십시오. 영상은 새로 "
        "선별하며, 목록은 그때까지 남습니다."
    ),
    "The day cannot be kept in {} ({}): free the disk and run again, what was kept so far is "
    "whole; or name another folder with --out.": (
        "{0}에 기록할 수 없습니다({1}). 디스크를 비우고 다시 실행하거나 --out으로 다른 폴더를 "
        "지정하십시오. 지금까지의 기록은 온전합니다."
    ),
    "The day cannot be kept in {} ({}): if it lies on a stick or a network drive that is gone, "
    "connect it again and run again, or name another folder with --out.": (
        "{0}에 기록할 수 없습니다({1}). USB나 네트워크 드라이브가 빠졌으면 다시 연결하고 다시 "
        "실행하거나, --out으로 다른 폴더를 지정하십시오."
    ),
    "The day cannot be kept in {} ({}): allow writing there, free the disk, or name another folder "
    "with --out.": (
        "{0}에 기록할 수 없습니다({1}). 쓰기를 허용하거나 디스크를 비우거나, --out으로 다른 폴더를 "
        "지정하십시오."
    ),
    "The day cannot be kept in {} ({}): allow writing there, or name another folder with --out.": (
        "{0}에 기록할 수 없습니다({1}). 쓰기를 허용하거나 --out으로 다른 폴더를 지정하십시오."
    ),
    "The folder {} does not lock its files as a day's record needs ({}), as some network drives do "
    "not: name a folder on this PC's own disk with --out.": (
        "{0} 폴더는 기록에 필요한 파일 잠금이 되지 않습니다({1}). 네트워크 드라이브에서 그럴 수 "
        "있습니다. --out으로 이 PC 디스크의 폴더를 지정하십시오."
    ),
    "The audit trail {} cannot be written ({}), so no list was: free the disk, or close the "
    "program that holds it, and run again.": (
        "감사 기록 {0}을(를) 쓸 수 없어({1}) 목록도 쓰지 않았습니다. 디스크를 비우거나 그 파일을 "
        "연 프로그램을 닫고 다시 실행하십시오."
    ),
    "The films' small pictures cannot be kept ({}): free the disk or name another folder with "
    "--out.": (
        "작은 그림을 보관할 수 없습니다({0}). 디스크를 비우거나 --out으로 다른 폴더를 지정하십시오."
    ),
    "{} is damaged or was changed after it was written: run cxr-calibrate again.": (
        "{0}이(가) 손상되었거나 만든 뒤에 바뀌었습니다. cxr-calibrate를 다시 실행하십시오."
    ),
    "{} was made for {} {} (SHA-256 {}), not for this {} {} ({}): thresholds hold for one model "
    "only, so run cxr-calibrate with lists of this one.": (
        "{0}은(는) {1} {2}(SHA-256 {3})용이며 지금의 {4} {5}({6})용이 아닙니다. 기준값은 한 "
        "모델에만 맞으므로 이 모델의 목록으로 cxr-calibrate를 실행하십시오."
    ),
    "{} has schema {}, this program reads 1.x: run cxr-calibrate again.": (
        "{0}의 형식은 {1}인데 이 프로그램은 1.x를 읽습니다. cxr-calibrate를 다시 실행하십시오."
    ),
    "{} is not a site file: make one with cxr-calibrate.": (
        "{0}은(는) 기관 파일이 아닙니다. cxr-calibrate로 만드십시오."
    ),
    "{} lacks a column: its first line must name {}, separated by commas, semicolons or tabs.": (
        "{0}에 빠진 열이 있습니다. 첫 줄에 {1}이(가) 쉼표, 쌍반점, 탭으로 나뉘어 있어야 합니다."
    ),
    "{} is neither UTF-8 nor CP949 text: save it as 'CSV UTF-8'.": (
        "{0}은(는) UTF-8도 CP949도 아닙니다. 'CSV UTF-8'로 저장하십시오."
    ),
    "{} is larger than 64 MiB: it is not a list of films.": (
        "{0}이(가) 64 MiB보다 커서 영상 목록이 아닙니다."
    ),
    "{} cannot be read ({}): check the spelling.": (
        "{0}을(를) 읽을 수 없습니다({1}). 이름을 확인하십시오."
    ),
    "{}, line {}: {}: save it again as CSV.": "{0}, {1}행: {2}: CSV로 다시 저장하십시오.",
}
"""What the code says in English; see `words/sentences.py`."""

_DESK: Final = DeskWords(
    tab="흉부 X선 선별 목록",
    tab_to_order="({n}) 의뢰할 검사",
    watching="{folder} 감시 중",
    not_watching="저장된 목록입니다. 감시 중인 폴더가 없습니다.",
    last_film="마지막 영상 {time}",
    no_film="아직 영상이 없습니다",
    arriving=Noun(one="복사 중인 영상 {n}개", many="복사 중인 영상 {n}개"),
    lost="프로그램과 연결이 끊어졌습니다. 지금 보이는 목록은 이전 것입니다. 다시 시작하십시오.",
    to_order="추가 검사 대상 {referred}건 가운데 {n}건은 아직 의뢰하지 않았습니다.",
    nothing_to_order="추가 검사 대상은 모두 의뢰했습니다.",
    nothing_referred="아직 추가 검사 대상이 없습니다.",
    empty="목록이 비어 있습니다. 영상이 들어오면 저절로 나타납니다.",
    archives=(
        "압축 파일 {n}개는 열어 보지 않습니다. "
        "감시 중인 폴더에 압축을 풀면 영상이 저절로 나타납니다:"
    ),
    notify="새 추가 검사 대상 알림",
    notify_forbidden="브라우저가 막고 있습니다. 이 페이지의 알림을 허용하십시오.",
    sound="소리도 함께",
    new_referral="새 결핵 추가 검사 대상이 있습니다. 의뢰할 검사 {n}건",
    print="인쇄",
    keys="단축키",
    end="프로그램 끝내기",
    end_sure="끝내시겠습니까? 다시 시작할 때까지 새 영상을 선별하지 않습니다.",
    ended="프로그램이 끝났습니다. 이 페이지를 닫아도 됩니다.",
    follow_up="후속 조치",
    ordered="추가 검사 의뢰함",
    done="추가 검사 완료",
    seen="의사 확인",
    seen_short="의사 확인",
    truth="결핵 여부",
    confirmed="확진",
    ruled_out="아님",
    unknown="아직 모름",
    note="메모",
    note_hint="한 줄로 적습니다. 목록에 함께 들어갑니다.",
    keep_note="메모 저장",
    burned_in="영상 안에 글자가 있어 환자 이름이 보일 수 있습니다.",
    kept="{what}: 저장했습니다.",
    taken_back="{what}: 취소했습니다.",
    undo="되돌리기",
    undone="이전 상태로 되돌렸습니다.",
    not_undone="그 뒤에 다른 사람이 고쳤습니다.",
    not_kept="저장하지 못했습니다. 프로그램이 켜져 있는지 확인하십시오.",
    open_film="영상 {rank} 크게 보기",
    viewer=ViewerWords(
        name="영상",
        close="닫기",
        before="이전 영상",
        after="다음 영상",
        fit="전체 보기",
        real_size="실제 화소",
        larger="확대",
        smaller="축소",
        invert="흑백 반전",
        as_the_film_asks="처음 밝기로",
        heat="점수의 근거 위치",
        strength="진하기",
        no_heat="이 영상에는 점수를 높이는 곳이 없습니다.",
        show_in_folder="폴더에서 보기",
        not_shown_in_folder="폴더를 열 수 없습니다.",
        loading="영상을 읽는 중",
        sharper="모든 화소를 읽는 중",
        cannot_show="이 영상은 표시할 수 없습니다.",
        changed="선별한 뒤에 파일이 바뀌었습니다.",
        levels="폭 {width} %, 중심 {level} %, 배율 {zoom} %",
        film="영상 {rank}",
        other_films="같은 검사의 영상",
        how="마우스와 단축키",
        keys=(
            ("끌기 또는 방향키 (마우스)", "밝기와 대비"),
            ("휠 또는 + - 키", "확대, 축소"),
            ("Shift와 끌기, Shift와 방향키", "영상 이동"),
            ("0 키, 두 번 누르기", "전체 보기"),
            ("1 키", "실제 화소"),
            ("i 키", "흑백 반전"),
            ("r 키", "처음 밝기로"),
            ("h 키", "점수의 근거 위치"),
            ("n, p 키", "다음 영상, 이전 영상"),
            ("o, d, s 키", "추가 검사 의뢰함, 완료, 의사 확인"),
            ("u 키", "되돌리기"),
            ("f 키", "폴더에서 보기"),
            ("Esc 키", "닫기"),
        ),
    ),
)

_CALIBRATION: Final = CalibrationWords(
    title="이 기관의 결핵 기준값",
    not_a_diagnosis="연구용이며 진단이 아닙니다.",
    site_file="기관 파일 {site}, {created}.",
    threshold="기준값",
    films="영상 수",
    sensitivity="민감도 %",
    specificity="특이도 %",
    bands="띠: 95 % 구간",
    plot_title="기준값에 따른 민감도와 특이도, 95 % 구간. 숫자는 아래 표에 있습니다",
    axis="결핵 점수 기준값",
    chosen="선택",
    in_use="사용 중",
    if_prevalent="환자의 {share}가 결핵일 때",
    as_observed="관찰된 대로, {share}가 결핵",
    ppv="양성 예측도 %",
    npv="음성 예측도 %",
    referred="1,000명 중 의뢰",
    hashes_of_model="모델 파일 SHA-256",
    hashes_of_labels="라벨 파일 SHA-256",
    wide_intervals=(
        "주어진 유병률의 구간은 두 비율의 95 % 구간 가운데 가장 불리한 쪽에서 나온 것이어서 넓은 "
        "편입니다."
    ),
)


WORDS: Final = Words(page=_PAGE, calibration=_CALIBRATION, desk=_DESK, sentences=_SENTENCES)
