"""The result as a structured report: TID 1500 in a Comprehensive 3D SR.

One measurement group about the film: the decision, the referral score, its threshold and the four
probabilities, with the algorithm that found them. The observer is a device. Nobody has verified it,
and it says so.
"""

from __future__ import annotations

from typing import Final

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from edge_infer.films.dicom.own_results import MANUFACTURER
from edge_infer.model.model_card import CLASSES
from edge_infer.net.results.film_header import FilmHeader
from edge_infer.net.results.job import MEANINGS, NOT_A_DIAGNOSIS, ResultJob, plain
from edge_infer.worklist.rows import Decision

SCHEME: Final = "99CXREDGE"
"""Our own codes, where the standard has none."""
SCORE: Final = Code("tb_score", SCHEME, "TB referral score, 0 to 100")
THRESHOLD: Final = Code("refer_tb_threshold", SCHEME, "TB referral score from which is referred")
DECISION: Final = Code("decision", SCHEME, "Screening decision")
PROBABILITIES: Final = {
    name: Code(f"p_{name}", SCHEME, f"Calibrated probability of {name}") for name in CLASSES
}
DECISIONS: Final = {one: Code(one.value, SCHEME, MEANINGS[one]) for one in Decision}
_CHEST_FILM = Code("399208008", "SCT", "Plain chest X-ray")
_SERIES_NUMBER = 9901


def make_report(header: FilmHeader, job: ResultJob) -> Dataset:
    """Return the report of a film, ready to be written."""
    film = header.stand_in()
    scheme = CodingSchemeIdentificationItem(SCHEME, name="cxr-edge screening codes")
    report = Comprehensive3DSR(
        evidence=[film],
        content=_content(header, job)[0],
        series_instance_uid=job.uid("report series", header.sop_uid),
        series_number=_SERIES_NUMBER,
        series_description="cxr-edge screening result (research use only)",
        sop_instance_uid=job.uid("report", header.sop_uid),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=plain(job.card.name)[:64],
        software_versions=_versions(job),
        device_serial_number=job.model_sha256[:64],
        is_complete=True,
        coding_schemes=[scheme],
        content_date=job.found_at.date(),
        content_time=job.found_at.time(),
    )
    report.InstanceCreationDate, report.InstanceCreationTime = (
        report.ContentDate,
        report.ContentTime,
    )
    header.copy_to(report)
    return report


def _content(header: FilmHeader, job: ResultJob) -> MeasurementReport:
    source = SourceImageForMeasurementGroup(header.sop_class, header.sop_uid)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=job.uid("finding", header.sop_uid), identifier="Screening for tuberculosis"
        ),
        algorithm_id=AlgorithmIdentification(
            name=plain(job.card.name), version=plain(job.card.version), parameters=_describe(job)
        ),
        finding_sites=[FindingSite(anatomic_location=codes.SCT.Lung)],
        measurements=[
            _number(SCORE, float(job.finding.tb_score)),
            _number(THRESHOLD, job.card.operating_points.refer_tb.threshold),
            *(
                _number(PROBABILITIES[name], float(value))
                for name, value in zip(CLASSES, job.finding.probabilities, strict=True)
            ),
        ],
        qualitative_evaluations=[
            QualitativeEvaluation(name=DECISION, value=DECISIONS[job.decision])
        ],
        source_images=[source],
    )
    device = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=job.uid("device", ""),
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=plain(job.card.name),
            serial_number=job.model_sha256,
        ),
    )
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device),
        procedure_reported=CodedConcept.from_code(_CHEST_FILM),
        imaging_measurements=[group],
    )


def _number(name: Code, value: float) -> Measurement:
    return Measurement(name=name, value=value, unit=codes.UCUM.NoUnits)


def _describe(job: ResultJob) -> list[str]:
    """Return what, beside name and version, tells this algorithm and its use."""
    site = [f"site thresholds: {plain(job.site_id)}"] if job.site_id is not None else []
    return [
        f"model SHA-256: {job.model_sha256}",
        f"cxr-edge {plain(job.package_version)}",
        *site,
        f"intended use: {NOT_A_DIAGNOSIS} {plain(job.card.intended_use)}",
    ]


def _versions(job: ResultJob) -> str:
    return f"{plain(job.package_version)} {plain(job.card.version)}"[:64]
