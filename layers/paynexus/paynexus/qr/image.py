"""A QR code as a picture."""

import io

import qrcode
from qrcode.image.pure import PyPNGImage
from qrcode.image.svg import SvgPathImage

QUIET_ZONE_MODULES = 4
"""The light border that the standard asks for."""
PNG_PIXELS_PER_MODULE = 8


def svg(payload: str) -> str:
    """The code as an SVG document, any size."""
    return str(_code(payload).make_image(SvgPathImage).to_string(encoding="unicode"))


def png(payload: str) -> bytes:
    """The code as a PNG picture, eight pixels a module."""
    out = io.BytesIO()
    _code(payload).make_image(PyPNGImage).save(out)
    return out.getvalue()


def _code(payload: str) -> qrcode.QRCode:
    code = qrcode.QRCode(
        error_correction=qrcode.ERROR_CORRECT_M,
        border=QUIET_ZONE_MODULES,
        box_size=PNG_PIXELS_PER_MODULE,
    )
    code.add_data(payload)
    return code
