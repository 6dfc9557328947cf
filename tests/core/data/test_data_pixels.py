"""One picture at a time: what the pixels are, and what is called broken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from picture_files import pixels, save
from PIL import Image

from core.data._pixels import Broken, decode

PICTURE = pixels(1, side=6)[0][:, :4]  # 6 high, 4 wide


def _encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)  # type: ignore[arg-type]  # options differ by format
    return stream.getvalue()


def test_colour_is_bit_equal() -> None:
    data = _encoded(Image.fromarray(PICTURE))
    assert np.array_equal(decode(data, None, 3), PICTURE)
    assert np.array_equal(
        decode(_encoded(Image.fromarray(PICTURE), "WEBP", lossless=True), None, 3), PICTURE
    )


def test_grey_becomes_three_equal_channels_and_colour_becomes_grey() -> None:
    grey = PICTURE[..., 0]
    data = _encoded(Image.fromarray(grey))
    assert np.array_equal(decode(data, None, 3), np.repeat(grey[..., None], 3, axis=2))
    assert np.array_equal(decode(data, None, 1), grey[..., None])
    luma = PICTURE @ np.array([0.299, 0.587, 0.114])
    found = decode(_encoded(Image.fromarray(PICTURE)), None, 1)
    assert found.shape == (6, 4, 1) and np.abs(found[..., 0] - luma).max() <= 1


def test_transparency_lies_over_white() -> None:
    image = Image.new("RGBA", (3, 1))
    image.putdata([(255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 51)])
    expected = [[255, 0, 0], [255, 255, 255], [204, 204, 204]]  # 255 * (1 - 51/255) = 204
    assert decode(_encoded(image), None, 3)[0].tolist() == expected
    half = Image.new("LA", (1, 1), (0, 51))
    assert decode(_encoded(half), None, 3)[0, 0].tolist() == [204, 204, 204]


def test_palettes_with_and_without_a_transparent_colour() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    assert decode(_encoded(image), None, 3)[0].tolist() == [[10, 20, 30], [40, 50, 60]]
    clear = decode(_encoded(image, transparency=1), None, 3)
    assert clear[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_sixteen_bits_keep_the_upper_eight() -> None:
    deep = Image.fromarray(np.array([[0x1234, 0xFFFF, 0x00FF]], dtype=np.uint16))
    assert decode(_encoded(deep), None, 1)[0, :, 0].tolist() == [0x12, 0xFF, 0x00]


def test_cmyk_jpeg_is_read() -> None:
    data = _encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(decode(data, None, 3).astype(int) - [255, 0, 0]).max() <= 6


@pytest.mark.parametrize(
    ("orientation", "stored"),  # how an upright picture lies in the file
    [
        (1, lambda p: p),
        (2, lambda p: p[:, ::-1]),
        (3, lambda p: p[::-1, ::-1]),
        (4, lambda p: p[::-1]),
        (5, lambda p: p.transpose(1, 0, 2)),
        (6, lambda p: np.rot90(p, 1)),
        (7, lambda p: p[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda p: np.rot90(p, -1)),
    ],
)
def test_orientation_is_applied(orientation: int, stored: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = np.ascontiguousarray(stored(PICTURE))  # type: ignore[operator]  # a parametrised callable
    data = _encoded(Image.fromarray(lying), "PNG", exif=exif)
    assert np.array_equal(decode(data, None, 3), PICTURE)
    assert np.array_equal(decode(data, 4, 3), PICTURE[1:5])


def test_a_damaged_exif_block_is_ignored() -> None:
    data = _encoded(Image.fromarray(PICTURE), "WEBP", lossless=True, exif=b"Exif\0\0nonsense")
    assert np.array_equal(decode(data, None, 3), PICTURE)


def test_the_middle_square_is_kept() -> None:
    wide = pixels(1, side=9)[0][:5]
    assert np.array_equal(decode(_encoded(Image.fromarray(wide)), 5, 3), wide[:, 2:7])


def test_halving_averages() -> None:
    """Bilinear with antialiasing at one half: weights 1/8, 3/8, 3/8, 1/8 along each axis."""
    picture = pixels(1, side=8)[0]
    data = decode(_encoded(Image.fromarray(picture)), 4, 3)
    along = np.zeros((4, 8))
    for row in range(4):
        for step, weight in zip(range(-1, 3), (1, 3, 3, 1), strict=True):
            if 0 <= 2 * row + step < 8:
                along[row, 2 * row + step] = weight
    along /= along.sum(axis=1, keepdims=True)
    expected = np.einsum("ri,cj,ijk->rck", along, along, picture.astype(float))
    assert np.abs(data - expected).max() <= 1.0


def test_a_jpeg_halved_by_its_decoder_is_nearly_the_same() -> None:
    smooth = Image.fromarray(pixels(1)[0]).resize((512, 400), Image.Resampling.BICUBIC)
    jpeg = decode(_encoded(smooth, "JPEG", quality=95), 32, 3)
    whole = decode(_encoded(smooth), 32, 3)
    assert np.abs(jpeg.astype(int) - whole).mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_truncated_is_broken(kind: str) -> None:
    data = _encoded(Image.fromarray(pixels(1, side=64)[0]), kind)
    with pytest.raises(Broken):
        decode(data[: len(data) // 2], 32, 3)


def test_what_is_no_picture_is_broken(tmp_path: Path) -> None:
    for data, why in ((b"", "empty"), (b"hello", "not a PNG, JPEG or WebP picture")):
        with pytest.raises(Broken, match=why):
            decode(data, 32, 3)
        file = tmp_path / "x.png"
        file.write_bytes(data)
        with pytest.raises(Broken, match=why):
            decode(str(file), 32, 3)
    with pytest.raises(Broken, match="missing"):
        decode(str(tmp_path / "none.png"), 32, 3)
    gif = save(tmp_path / "x.gif", PICTURE)
    with pytest.raises(Broken, match="not a PNG"):
        decode(str(gif), 32, 3)


def test_what_the_machine_refuses_is_not_the_pictures_fault(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        decode(str(tmp_path), 32, 3)
