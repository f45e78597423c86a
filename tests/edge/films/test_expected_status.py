"""What becomes of every real file beside this checkout: 99 of them, skipped aloud without."""

from __future__ import annotations

import numpy as np
import pytest

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.find import find_films
from edge_infer.films.read import read_radiograph
from tests.shared_data import shared_data

UNSUPPORTED = {
    "dicom/rsna_06b64e36-9e61-4865-bfe4-d96eef86548c.dcm": ReasonCode.CHILD,
    "dicom/rsna_09547f4f-c52e-4fd7-8738-0e01e6277034.dcm": ReasonCode.CHILD,
    "dicom/rsna_09875c3b-c520-4b08-89b0-a7a7299c37b2.dcm": ReasonCode.CHILD,
    "dicom_other/cr_teeth_modalityLUT_jpeglossless.dcm": ReasonCode.OTHER_BODY_PART,
    "dicom_other/cr_tibia_J2KI.dcm": ReasonCode.OTHER_BODY_PART,
    "dicom_other/ct_rle_frags.dcm": ReasonCode.OTHER_MODALITY,
    "dicom_other/mr_dcm4che.dcm": ReasonCode.OTHER_MODALITY,
    "dicom_other/mr_no_rows.dcm": ReasonCode.OTHER_MODALITY,
    "dicom_other/pydicom_chest_tags_32x32.dcm": ReasonCode.TOO_SMALL,
    "dicom_other/rtplan.dcm": ReasonCode.OTHER_MODALITY,
    "dicom_other/udacity_test5_CT_CHEST.dcm": ReasonCode.OTHER_MODALITY,
    "dicom_other/us_rgb.dcm": ReasonCode.OTHER_MODALITY,
}
IGNORED = ["dicom_other/dicomdir"]
"""Has no row; read by name it is UnsupportedImage NO_PIXELS."""
DERIVED = [
    "12bit_J2Klossless",
    "12bit_JPEGlosslessSV1",
    "12bit_window",
    "J2Klossless",
    "JPEGLS",
    "JPEGlosslessSV1",
    "MONO1_inverted",
    "RLE",
    "deflated",
    "explicitLE",
    "implicitLE",
]
SCREENED = [
    *(f"dicom/derived_rsna{film}_{name}.dcm" for film in (0, 1) for name in DERIVED),
    *(
        f"dicom/{name}"
        for name in [
            "c64d5667-a776-4f95-9e21-bfabafb07740.dcm",
            "dwv_gdcm-CR-MONO1-10-chest.dcm",
            "fodicom_CR-MONO1-10-chest_acrnema",
            "pydicom_RG1_J2KI.dcm",
            "rsna_03682e3c-d601-4e35-9ba5-06e85bba5c7c.dcm",
            "rsna_037e59c2-5753-4daa-b74f-856694b81729.dcm",
            "rsna_03aeb73d-0520-48ad-b21a-8249dfcf95d8.dcm",
            "rsna_03b10fa5-e7c3-4726-818f-ecbace9da737.dcm",
            "rsna_03cf9ba9-dfbe-47b9-aa96-3e69432d73c3.dcm",
            "rsna_03edb5ed-9e76-4abe-bc35-7bc95fea7e6a.dcm",
            "rsna_0409d9ce-34d6-4ef9-8a80-6f01f68e6762.dcm",
            "rsna_04158595-a45e-402c-94e9-df6fce1bb6bf.dcm",
            "rsna_04558d1a-1f4d-47aa-bf07-a6f6595f9cec.dcm",
            "rsna_045e3b0d-46ef-4a89-8795-0a85a2be0d6b.dcm",
            "rsna_05632b7f-f4c5-4d67-aa93-8f3c04eb7937.dcm",
            "rsna_0566560d-cbff-4025-b803-64498357df9d.dcm",
            "rsna_05f9a259-1b07-4e83-8e30-6b01f3ae1cf1.dcm",
            "rsna_061b44ff-fd22-473d-853f-81da70e14a63.dcm",
            "rsna_065158ed-021d-4d2d-a2e2-79b69a03853d.dcm",
            "rsna_0666201a-fab4-4828-81dd-73292312c766.dcm",
            "rsna_066d9e27-e48f-4453-b1e1-d73c34910722.dcm",
            "rsna_06941d8e-2034-4503-b8d5-0eb13fc52f75.dcm",
            "rsna_06a7820e-8f38-4958-b871-518030a63432.dcm",
            "rsna_06adea47-95e2-4423-bd9e-27daf8ed7de0.dcm",
            "rsna_06cc9b59-b8ff-4a6b-9e5b-f127c7c1208d.dcm",
            "rsna_06fc2885-127a-4274-b20c-554d352ea21b.dcm",
            "rsna_07534f30-58a1-4043-b70e-156cdfafe1c6.dcm",
            "rsna_0759abcb-6e42-4837-956f-d4e8a4cd3537.dcm",
            "rsna_075f24e4-0d8e-4606-8e68-ee5ea0b953b5.dcm",
            "rsna_076149ed-e1a7-4424-b283-18161c95e0e2.dcm",
            "rsna_07752357-2f21-4e42-9015-27886b3d5857.dcm",
            "rsna_07888d77-acd2-4e12-9f43-9272ae1cfe9e.dcm",
            "rsna_07d1a89d-351c-4a75-993a-ba315142b419.dcm",
            "rsna_08483dbc-6223-43e2-b049-b1f86ef8bbcc.dcm",
            "rsna_0906b366-f454-4c62-88fc-caf7ffb5d36b.dcm",
            "rsna_095aecad-1618-4b23-b7b9-342c25c4666b.dcm",
            "rsna_095d6b7c-fa53-4f06-90b9-5c5f76038f04.dcm",
            "rsna_097788d4-cb88-4457-8e71-0ca7a3da2216.dcm",
            "rsna_097aa88c-3228-4b27-8d30-2071fdb6a37d.dcm",
            "rsna_0983ae59-b906-4fd5-a810-edfe0580fe3b.dcm",
            "rsna_098c0843-d0f1-4aa3-b593-925d9327e31a.dcm",
            "rsna_099abc5b-f471-4e24-90be-f1a4b4428166.dcm",
            "rsna_09e8fae9-1714-4b54-a1d3-42a29a9717c3.dcm",
            "rsna_0a0f6755-610d-4b7c-a460-5f5a8f5c0743.dcm",
            "rsna_0a2c130c-c536-4651-836d-95d07e9a89cf.dcm",
            "rsna_0a578f72-dced-4550-8851-d8005549b724.dcm",
            "rsna_0a6a5956-58cf-4f17-9e39-7e0d17310f67.dcm",
            "rsna_0ae93f35-2954-41a2-a33b-6614f36dd1c3.dcm",
            "rsna_0b00ec19-0e23-48eb-8936-c03379bf65c2.dcm",
            "rsna_0b8ba576-7734-4192-ba1b-5618dd257f6b.dcm",
            "rsna_0b8f8765-0406-447c-b873-7ac5ce8884aa.dcm",
            "rsna_0bcfe7ee-ada5-48de-990b-2a2fd6c6ed15.dcm",
            "rsna_0bed2d9d-8a11-41d9-b312-41f8c93791f7.dcm",
            "rsna_0bf374b1-dd39-4549-b573-6e69af4dd0e9.dcm",
            "rsna_0c153d93-d65b-4d3e-90bc-8b26350e3476.dcm",
            "rsna_0c2e5286-bb2c-427f-98be-8fc3796383d5.dcm",
            "rsna_0c4d320e-7342-44e4-a634-56f4ca110c58.dcm",
            "rsna_0c8458d8-25e6-44e5-946e-cf729240df59.dcm",
            "txrv_Fake_MONOHR1.dcm",
            "txrv_PA.dcm",
            "udacity_test1.dcm",
            "udacity_test2.dcm",
            "udacity_test3.dcm",
            "udacity_test6.dcm",
        ]
    ),
]
EVERYTHING = [*UNSUPPORTED, *IGNORED, *SCREENED]


def test_the_table_names_every_file() -> None:
    folder = shared_data()
    files = {
        path.relative_to(folder).as_posix()
        for path in [*folder.glob("dicom/*"), *folder.glob("dicom_other/*")]
        if path.name != "manifest.csv"
    }
    assert len(EVERYTHING) == len(set(EVERYTHING)) == 99
    assert files == set(EVERYTHING)


@pytest.mark.parametrize("name", EVERYTHING)
def test_expected_status(name: str) -> None:
    path = shared_data() / name
    expected = ReasonCode.NO_PIXELS if name in IGNORED else UNSUPPORTED.get(name)
    if expected is not None:
        with pytest.raises(UnsupportedImage) as caught:
            read_radiograph(path, min_age_years=15)
        assert caught.value.code is expected
        return
    film = read_radiograph(path, min_age_years=15)
    assert min(film.pixels.shape) >= 440
    assert film.study.modality in ("CR", "DX")


def test_the_disc_index_has_no_row() -> None:
    found = find_films([shared_data() / "dicom_other"])
    names = {image.path.name for image in found.films}
    assert names == {path.name for path in (shared_data() / "dicom_other").glob("*.dcm")}


@pytest.mark.parametrize("film", [0, 1])
@pytest.mark.parametrize("name", DERIVED)
def test_copies_of_one_film_are_one_film(film: int, name: str) -> None:
    folder = shared_data() / "dicom"
    copy = read_radiograph(folder / f"derived_rsna{film}_{name}.dcm").pixels
    original = read_radiograph(folder / f"derived_rsna{film}_explicitLE.dcm").pixels
    if name.startswith("12bit"):
        # Its window was rounded to 12 bits: half a grey level of 8 bits, measured.
        assert np.abs(copy.astype(int) - original).max() <= 257
    else:
        np.testing.assert_array_equal(copy, original)


def test_a_headerless_stream_is_the_film_with_header() -> None:
    folder = shared_data() / "dicom"
    headerless = read_radiograph(folder / "fodicom_CR-MONO1-10-chest_acrnema")
    film = read_radiograph(folder / "dwv_gdcm-CR-MONO1-10-chest.dcm")
    np.testing.assert_array_equal(headerless.pixels, film.pixels)
