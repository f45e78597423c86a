"""Everything in English."""

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

_EXPORT_AGAIN = "Copy or export the film again; until then call the reader."
_FIND_FRONTAL = "Screen the frontal film of this examination; without one, take a PA film."
_TURN_IT = "Turn it at the workstation and send it again."
_NOT_A_FILM = "Nothing to do if it is not a chest film; otherwise call the reader."

_GROUPS: Final = {
    Decision.REFER_TB: GroupWords(
        label="Refer for TB",
        heading="Second test for tuberculosis first",
        meaning="The TB score reached the threshold, or tuberculosis is the likeliest class.",
        todo="Order the second test (sputum or blood, as your programme says); a doctor looks too.",
    ),
    Decision.ABNORMAL: GroupWords(
        label="Abnormal",
        heading="Abnormal: a doctor looks",
        meaning="The film may not be normal; the TB threshold was not reached.",
        todo="Call the reader: show these films to a doctor today.",
    ),
    Decision.UNCERTAIN: GroupWords(
        label="Uncertain",
        heading="Uncertain: repeat or refer",
        meaning="No threshold was reached, but another class than normal stays possible.",
        todo="Repeat the film (PA, full breath), or call the reader.",
    ),
    None: GroupWords(
        label="Not screened",
        heading="Not screened: read by a person",
        meaning="The model has not looked at these files. Not screened is not clear.",
        todo="Do what stands beside each file, or call the reader.",
    ),
    Decision.CLEAR: GroupWords(
        label="Clear",
        heading="Clear: the usual reading",
        meaning="No threshold was reached and normal is the likeliest class.",
        todo="Go on as usual. Clear does not mean healthy: some disease is missed.",
    ),
}

_REASONS: Final = {
    ReasonCode.EMPTY_FILE: ReasonWords(why="Empty file", todo=_EXPORT_AGAIN),
    ReasonCode.NOT_AN_IMAGE: ReasonWords(why="Not an image", todo=_NOT_A_FILM),
    ReasonCode.TRUNCATED: ReasonWords(why="Cut off", todo=_EXPORT_AGAIN),
    ReasonCode.DAMAGED: ReasonWords(why="Damaged", todo=_EXPORT_AGAIN),
    ReasonCode.NO_DECODER: ReasonWords(
        why="Unknown picture format",
        todo="Export the film as DICOM or PNG; until then call the reader.",
    ),
    ReasonCode.CANNOT_OPEN: ReasonWords(
        why="Cannot be opened",
        todo="Check that the drive is connected and the file is yours to read, then run again.",
    ),
    ReasonCode.DECODER_CRASHED: ReasonWords(why="Reading it failed", todo=_EXPORT_AGAIN),
    ReasonCode.DECODER_TIMEOUT: ReasonWords(why="Reading it took too long", todo=_EXPORT_AGAIN),
    ReasonCode.ARRIVING: ReasonWords(
        why="Still being copied", todo="Wait: it is looked at again by itself."
    ),
    ReasonCode.OTHER_MODALITY: ReasonWords(why="Not an X-ray film", todo=_NOT_A_FILM),
    ReasonCode.RAW: ReasonWords(
        why="Raw picture",
        todo="Send the finished picture of the same film; until then call the reader.",
    ),
    ReasonCode.OTHER_BODY_PART: ReasonWords(why="Not a chest film", todo=_NOT_A_FILM),
    ReasonCode.LATERAL_VIEW: ReasonWords(why="Not a frontal view", todo=_FIND_FRONTAL),
    ReasonCode.SEVERAL_FRAMES: ReasonWords(
        why="Several pictures in one file", todo="Call the reader; screen a single PA film."
    ),
    ReasonCode.COLOUR: ReasonWords(
        why="Colour picture", todo="Export the film itself in grey; until then call the reader."
    ),
    ReasonCode.NO_PIXELS: ReasonWords(why="No picture inside", todo=_NOT_A_FILM),
    ReasonCode.TOO_SMALL: ReasonWords(
        why="Picture too small",
        todo="Export the film at full size, not its preview; until then call the reader.",
    ),
    ReasonCode.TOO_LARGE: ReasonWords(
        why="Picture too large", todo="Call the reader; export the film by itself."
    ),
    ReasonCode.CHILD: ReasonWords(
        why="A child's film", todo="Call the reader: the model is not for children."
    ),
    ReasonCode.BLANK: ReasonWords(why="Blank picture", todo="Repeat the film (PA, full breath)."),
    ReasonCode.NOT_CHEST_PICTURE: ReasonWords(
        why="Does not look like a chest film", todo=_NOT_A_FILM
    ),
    ReasonCode.LATERAL_PICTURE: ReasonWords(why="Looks like a lateral film", todo=_FIND_FRONTAL),
    ReasonCode.ON_ITS_SIDE: ReasonWords(why="Lies on its side", todo=_TURN_IT),
    ReasonCode.UPSIDE_DOWN: ReasonWords(why="Upside down", todo=_TURN_IT),
    ReasonCode.INVERTED: ReasonWords(
        why="Inverted: bones are dark", todo="Invert it at the workstation and send it again."
    ),
    ReasonCode.LUNGS_CUT_OFF: ReasonWords(
        why="Lungs cut off", todo="Repeat the film, or show it to a doctor."
    ),
    ReasonCode.BAD_EXPOSURE: ReasonWords(
        why="Blank or badly exposed", todo="Send it with another window, or repeat the film."
    ),
    ReasonCode.PHOTOGRAPH: ReasonWords(
        why="A photograph, or a film in another picture",
        todo="Send the film itself from the X-ray machine or the archive.",
    ),
    ReasonCode.PUT_UPRIGHT: ReasonWords(
        why="Turned before screening", todo="Turn it at the workstation too."
    ),
    ReasonCode.MADE_POSITIVE: ReasonWords(
        why="Inverted before screening", todo="Invert it at the workstation too."
    ),
    ReasonCode.GATE_OFF: ReasonWords(
        why="Screened with --no-gate", todo="Look whether this is a frontal chest film."
    ),
}

_PAGE: Final = PageWords(
    eyebrow="Chest X-ray worklist",
    browser_title="X-ray worklist, {date}",
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=(
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ),
    date="{weekday} {day} {month} {year}",
    file=Noun(one="{n} file", many="{n} files"),
    film=Noun(one="{n} film", many="{n} films"),
    other_file=Noun(one="{n} other file", many="{n} other files"),
    examination=Noun(one="{n} examination", many="{n} examinations"),
    summary="{files} of {examinations}, {screened} screened, most urgent first. Made at {time}.",
    ignored="{files} passed over.",
    skip="Skip to the list",
    not_a_diagnosis="Research use only. This is not a diagnosis.",
    shifted="An unusual day.",
    sorting_key=(
        "The list sorts films so that the most urgent are looked at first. A score is a sorting "
        "key: scores are not probabilities of disease in your clinic."
    ),
    incomplete="This list is not complete.",
    left_over="The run was stopped: {left} of {files} were not looked at. Run it again.",
    closed_folders="Folders that could not be opened:",
    films_missing="Films in them are missing from this list.",
    archives="Packed files (zip and the like), {n}; unpack them and run again:",
    gate_off="Screened with --no-gate.",
    gate_off_means=(
        "Pictures that are no upright frontal chest film have scores too, and those mean nothing."
    ),
    groups=_GROUPS,
    classes={
        "normal": "Normal",
        "pneumonia": "Pneumonia",
        "covid19": "COVID-19",
        "tuberculosis": "Tuberculosis",
    },
    statuses={
        Status.SCREENED: "Screened",
        Status.UNSUPPORTED: "Not for this model",
        Status.UNREADABLE: "Unreadable",
    },
    reasons=_REASONS,
    columns=ColumnWords(
        number="No.",
        picture="Picture",
        film="Film",
        decision="Decision",
        score="TB score (0–100)",
        abnormal_score="Abnormal score (0–100)",
        likeliest="Likeliest class, and why",
        why="Why, and what to do",
        second_test="Second test",
    ),
    tools=ToolWords(
        name="Search, filter and sort",
        search="Search",
        show="Show",
        show_all="Everything",
        sort="Sort each group by",
        by_urgency="urgency",
        by_score="TB score",
        by_time="film time",
        by_path="file name",
        shown="{shown} of {total} examinations shown",
    ),
    faults=FaultWords(
        heading="Do not work with this list.",
        unmeasured="The model {model} was never measured on films with and without tuberculosis.",
        chance=(
            "The model {model} was not shown to tell tuberculosis better than chance (sensitivity "
            "{sensitivity}, specificity {specificity})."
        ),
        low_specificity=(
            "The model {model} missed its goal: of 100 people without tuberculosis it would refer "
            "about {referred} (specificity {specificity})."
        ),
        low_in_hospital=(
            "The model {model} missed its goal in {hospital}: of 100 people without tuberculosis "
            "it would refer about {referred} (specificity {specificity})."
        ),
    ),
    why=WhyWords(
        tb_reached="TB score at or above the model's threshold, {threshold}.",
        tb_reached_here="TB score at or above this clinic's threshold, {threshold}.",
        tb_likeliest=(
            "Tuberculosis is the likeliest class, which refers whatever the score (threshold "
            "{threshold})."
        ),
        score_decides="The score decides, whatever the likeliest class.",
        abnormal_reached="Abnormal score {score}: at or above the threshold, {threshold}.",
        abnormal_likeliest=(
            "The likeliest class is not normal, though the abnormal score {score} is below the "
            "threshold, {threshold}."
        ),
        uncertain="Below both thresholds, but not ruled out: {classes}.",
        uncertain_none="Below both thresholds, but the film fits no class.",
        clear="Below both thresholds (TB {tb}, abnormal {abnormal}); normal is likeliest.",
    ),
    patient_id="ID {id}",
    sexes={"M": "M", "F": "F"},
    sex_and_age="{sex} {years}",
    age="{years} years",
    one_examination="{films} of one examination; the most urgent decides",
    tb_score="TB score {score}",
    small_abnormal_score="abnormal score",
    small_score="TB score",
    film_picture="Film {rank}, small",
    plain_picture="Film {rank}, plain",
    show_heat="Film {rank}: show where the score comes from",
    heat_caption="{name}: where the score comes from, not what is there.",
    heat_picture="Film {rank} with colours",
    heat_scale="Red is the strongest place of this film, whatever its score.",
    picture_file="picture file",
    hidden_picture="Not shown: the picture may hold a name.",
    test_ordered="ordered",
    test_done="done",
    expected=(
        "Of 100 films referred like this, about {share} (from {low} to {high}) are expected to be "
        "of people with tuberculosis, if {prevalence} of those screened have it."
    ),
    expected_basis=(
        "Reckoned from the card's sensitivity and specificity, both at the lower and both at the "
        "upper end of their intervals. They were measured on the sources the model learned from; "
        "elsewhere it can be far fewer."
    ),
    expected_unknown=(
        "How many of 100 referred films are of people with tuberculosis is unknown: the model card "
        "has too few films to say."
    ),
    papers=PaperWords(
        summary_name="Summary of the day",
        summary_title="Chest films of {date}: summary",
        with_model="Sorted by {model}, TB threshold {threshold} (the model's), at {time}.",
        with_site="Sorted by {model}, TB threshold {threshold} (this clinic's own), at {time}.",
        basis="A program sorted the films; nobody has read them yet.",
        referred="Referred for a second test for tuberculosis",
        nobody="Nobody was referred for a second test for tuberculosis.",
        more="And {n} more: see the list.",
        not_screened="Not screened: to be read by a person",
        all_screened="Every film was screened.",
        seen_by="Seen by (name, signature)",
        date_time="Date and time",
        slip_title="Request for a second test for tuberculosis",
        number="No.",
        why="A program sorted this chest film: TB score {score}, referred from {threshold}.",
        patient_name="Patient",
        patient_number="Patient ID",
        requested_by="Requested by",
        tests_asked="Test asked for, as your programme says:",
        tests=(
            "rapid molecular test (NAAT)",
            "sputum smear",
            "sputum culture",
            "blood test (IGRA)",
            "other: __________",
        ),
        result="Result, by the laboratory",
        results=(
            "TB found",
            "not found",
            "cannot be judged, repeat",
            "resistance to rifampicin",
        ),
        laboratory="Laboratory, signature",
    ),
    about=AboutWords(
        heading="How this list was made",
        made="Model {model}, cxr-edge {package}, {time}.",
        hash="SHA-256 of the model file:",
        intended_use="",
        children="Films known to be of people under {age} years are not screened.",
        thresholds="Thresholds and how they were chosen",
        columns=(
            "Decision",
            "Taken at",
            "Sensitivity aimed for",
            "Sensitivity reached (95\xa0% interval)",
            "Specificity (95\xa0% interval)",
        ),
        tb_score="TB score",
        abnormal_score="abnormal score",
        taken_at="{score} of {threshold} or more",
        with_it="{films} with it",
        without_it="{films} without it",
        chosen_on="{decision}: chosen on",
        uncertain=(
            "Uncertain: neither threshold was reached, but another class than normal stays "
            "possible; each class is kept in {share} of its films. Chosen on"
        ),
        tb_score_is_share=(
            "The TB score says how strongly the film asks for a second test for tuberculosis: it "
            "is the model's share for tuberculosis."
        ),
        tb_score_is_made=(
            "The TB score says how strongly the film asks for a second test for tuberculosis. It "
            "is not a probability: it takes in the model's share for tuberculosis, how far the "
            "film is from normal, or what the strongest places in the lungs show. In the card's "
            "words:"
        ),
        scores=(
            "The abnormal score grows with the model's share for all but normal. Both scores "
            "run from 0 to 100. A film whose likeliest class is tuberculosis is referred, and one "
            "whose likeliest class is not normal is never clear, whatever the thresholds."
        ),
        other_machines=(
            "Films from other machines and other patients score differently: check the thresholds "
            "against your own confirmed cases before you rely on them."
        ),
        heat=(
            "The colours over a picture (point at it, or tab to it) show which of about 7 × 7 "
            "places of the film raise the score of one class. They do not outline disease, and "
            "they can lie on a marker or a border: then distrust the score."
        ),
        burned_in=(
            "A film whose header says that text is burned into it (BurnedInAnnotation) has no "
            "picture here, nor has a screen copy or a colour picture, unless names were asked for."
        ),
        small_print=(
            "The line on a score's bar is the threshold. Pictures are reduced; do not read them. "
            "File paths are shown so that the film can be found. Numbers count this page from "
            "top to bottom; worklist.csv orders every group by TB score, so its ranks differ where "
            "films are abnormal or of one examination."
        ),
    ),
)  # fmt: skip

_DESK: Final = DeskWords(
    tab="X-ray worklist",
    tab_to_order="({n}) to order",
    watching="watching {folder}",
    not_watching="A kept list: no folder is watched.",
    last_film="Last film {time}",
    no_film="No film yet",
    arriving=Noun(one="{n} film arriving", many="{n} films arriving"),
    lost="This page has lost the desk: what it shows is old. Start the desk again.",
    to_order="{n} of {referred} referred examinations wait for their second test to be ordered.",
    nothing_to_order="Every referred examination has its second test ordered.",
    nothing_referred="Nobody is referred for a second test so far.",
    empty="The list is empty. Films appear here by themselves as they arrive.",
    archives=(
        "Packed files (zip and the like), {n}, are not looked into; unpack them into the watched "
        "folder, and their films appear here by themselves:"
    ),
    notify="Tell me of new referrals",
    notify_forbidden="The browser forbids it: allow notifications for this page.",
    sound="with a sound",
    new_referral="New: refer for TB. To order now: {n}",
    print="Print",
    keys="Keys",
    end="End the desk",
    end_sure="End the desk? New films are not screened until it is started again.",
    ended="The desk has ended. You can close this page.",
    follow_up="Follow-up",
    ordered="Second test ordered",
    done="Second test done",
    seen="Seen by a doctor",
    seen_short="seen",
    truth="Tuberculosis",
    confirmed="confirmed",
    ruled_out="ruled out",
    unknown="not known yet",
    note="Note",
    note_hint="One line; it goes into the list.",
    keep_note="Keep the note",
    burned_in="Text is burned into this film: it may name the patient.",
    kept="{what}: kept.",
    taken_back="{what}: taken back.",
    undo="Undo",
    undone="As it was before.",
    not_undone="Somebody has changed it since.",
    not_kept="This was not kept. Is the desk still running?",
    open_film="Open film {rank}, large",
    viewer=ViewerWords(
        name="Film",
        close="Close",
        before="Film before",
        after="Next film",
        fit="Whole film",
        real_size="Every pixel",
        larger="Larger",
        smaller="Smaller",
        invert="Invert",
        as_the_film_asks="As the film asks",
        heat="Where the score comes from",
        strength="How strong",
        no_heat="Nothing in this film raises the score.",
        show_in_folder="Show in folder",
        not_shown_in_folder="The folder cannot be shown.",
        loading="Reading the film",
        sharper="Reading every pixel",
        cannot_show="This film cannot be shown.",
        changed="The file has changed since it was screened.",
        levels="Width {width} %, level {level} %, {zoom} %",
        film="Film {rank}",
        other_films="Films of this examination",
        how="Mouse and keys",
        keys=(
            ("drag, or arrow keys", "brightness and contrast"),
            ("wheel, or + and -", "larger, smaller"),
            ("shift and drag, or shift and arrow keys", "move the film"),
            ("0, double click", "whole film"),
            ("1", "every pixel"),
            ("i", "invert"),
            ("r", "as the film asks"),
            ("h", "where the score comes from"),
            ("n, p", "next film, film before"),
            ("o, d, s", "second test ordered, done; seen by a doctor"),
            ("u", "undo"),
            ("f", "show in folder"),
            ("Esc", "close"),
        ),
    ),
)

_CALIBRATION: Final = CalibrationWords(
    title="TB threshold of this clinic",
    not_a_diagnosis="Research use only. Not a diagnosis.",
    site_file="Site file {site}, {created}.",
    threshold="Threshold",
    films="Films",
    sensitivity="Sensitivity %",
    specificity="Specificity %",
    bands="bands: 95 % intervals",
    plot_title=(
        "Sensitivity and specificity over the threshold, with 95 % bands; the table below has the "
        "numbers"
    ),
    axis="TB score threshold",
    chosen="chosen",
    in_use="in use",
    if_prevalent="If {share} of the patients have TB",
    as_observed="As observed, {share} with TB",
    ppv="PPV %",
    npv="NPV %",
    referred="Referred of 1,000",
    hashes_of_model="Model file SHA-256",
    hashes_of_labels="label file SHA-256",
    wide_intervals=(
        "Intervals at the stated prevalence come from the least favourable corner of the two "
        "proportions' joint 95 % intervals, so they are on the wide side."
    ),
)


WORDS: Final = Words(page=_PAGE, calibration=_CALIBRATION, desk=_DESK, sentences={})
