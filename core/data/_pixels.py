"""One encoded picture (PNG, JPEG, WebP) to pixels. Needs Pillow and NumPy and nothing else of
``core``, so that a decoding process starts quickly.

EXIF orientation is applied, transparency laid over white, 16 bits a channel cut to 8, and
everything made RGB (or grey). With a ``size`` the shorter side becomes ``size`` (bilinear with
antialiasing) and the middle square is kept; a picture that is that square already stays bit-equal.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

Pixels = npt.NDArray[np.uint8]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_FORMATS = ("JPEG", "PNG", "WEBP")
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


class Broken(Exception):
    """The picture cannot be read; the message says why in a few words."""


def decode(source: str | bytes, size: int | None, channels: int) -> Pixels:
    """uint8 [H,W,channels] of a file's path or of encoded bytes; channels is 1 (grey) or 3.

    Broken for what is no whole picture. OSError with an error number for what the machine refuses
    (permission, a dying disk): that is not the picture's fault.
    """
    try:
        picture = _loaded(source, size)
        picture = _coloured(picture, channels)
    except FileNotFoundError:
        raise Broken("missing") from None
    except UnidentifiedImageError:
        raise Broken(_unidentified(source)) from None
    except Image.DecompressionBombError:
        raise Broken("too many pixels") from None
    except OSError as error:
        if error.errno is not None:
            raise
        text = str(error)
        raise Broken("truncated" if "truncated" in text else _first_line(text)) from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds on damaged files
        raise Broken(_first_line(str(error)) or type(error).__name__) from None
    pixels = np.asarray(picture if size is None else _square(picture, size))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _loaded(source: str | bytes, size: int | None) -> Image.Image:
    stream = source if isinstance(source, str) else io.BytesIO(source)
    with Image.open(stream, formats=_FORMATS) as picture:
        if size is not None:
            # JPEG only: the decoder itself halves while both sides stay twice what is asked for.
            picture.draft("RGB", (2 * size, 2 * size))
        picture.load()
        turn = _UPRIGHT.get(_orientation(picture))
        return picture if turn is None else picture.transpose(turn)


def _orientation(picture: Image.Image) -> int:
    if "exif" not in picture.info:
        return 1
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block does not make the picture unreadable
        return 1


def _coloured(picture: Image.Image, channels: int) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey
        picture = Image.fromarray((np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    wanted = "RGB" if channels == 3 else "L"
    return picture if picture.mode == wanted else picture.convert(wanted)


def _square(picture: Image.Image, size: int) -> Image.Image:
    width, height = picture.size
    if width == height == size:
        return picture
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    middle = (left, top, left + side, top + side)
    return picture.resize((size, size), Resampling.BILINEAR, middle, reducing_gap=3.0)


def _unidentified(source: str | bytes) -> str:
    if isinstance(source, bytes):
        return "not a PNG, JPEG or WebP picture" if source else "empty"
    with open(source, "rb") as file:
        return "not a PNG, JPEG or WebP picture" if file.read(1) else "empty"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:80]
