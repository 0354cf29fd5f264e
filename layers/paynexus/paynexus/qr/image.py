"""A QR code as a picture."""

import io

import qrcode
from qrcode.image.pure import PyPNGImage
from qrcode.image.svg import SvgPathImage

from paynexus.errors import NotAcceptable

QUIET_ZONE_MODULES = 4
"""The light border that the standard asks for."""
PNG_PIXELS_PER_MODULE = 8
SVG, PNG = "image/svg+xml", "image/png"


def draw(payload: str, accept: str) -> tuple[str, str | bytes]:
    """The code's media type and picture, as the Accept header prefers: SVG unless it says PNG.

    Raises NotAcceptable when the header allows neither.
    """
    ranges = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    for wanted in ranges:
        if wanted in ("", "*/*", "image/*", SVG):
            return SVG, svg(payload)
        if wanted == PNG:
            return PNG, png(payload)
    raise NotAcceptable(f"A code is drawn as {SVG} or {PNG}.")


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
