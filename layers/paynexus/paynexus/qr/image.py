"""A QR code as a picture: SVG or PNG, bare or as a poster."""

import io
from dataclasses import dataclass
from xml.sax.saxutils import escape

import png  # type: ignore[import-untyped]  # pypng has no types
import qrcode

from paynexus.errors import InvalidRequest, NotAcceptable

SVG, PNG = "image/svg+xml", "image/png"
PIXELS_DEFAULT = 512
PIXELS_MIN, PIXELS_MAX = 64, 4_096
MARGIN_DEFAULT = 4
"""Modules of light around the code: what the standard asks for (ISO/IEC 18004, 9.1)."""
MARGIN_MIN, MARGIN_MAX = 4, 16
POSTER_NAME_CHARACTERS_MAX = 40
_POSTER_RATIO = 1.28
_HEADING_SHARE, _LINE_SHARE = 0.07, 0.05

type Matrix = list[list[bool]]


@dataclass(frozen=True, slots=True)
class Style:
    """How a code is drawn: its width in pixels, and the modules of light around it."""

    size: int = PIXELS_DEFAULT
    margin: int = MARGIN_DEFAULT


@dataclass(frozen=True, slots=True)
class Poster:
    """What stands on a poster besides the code."""

    heading: str
    line: str


def media_type_of(accept: str) -> str:
    """The type that the Accept header prefers: SVG unless it says PNG; NotAcceptable for neither.

    Weights are not weighed: the first type that is made here is taken.
    """
    ranges = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    for wanted in ranges:
        if wanted in ("", "*/*", "image/*", SVG):
            return SVG
        if wanted == PNG:
            return PNG
    raise NotAcceptable(f"A code is drawn as {SVG} or {PNG}.")


def require_svg(accept: str) -> str:
    """SVG's media type; NotAcceptable where the Accept header prefers PNG or allows neither."""
    if media_type_of(accept) != SVG:
        raise NotAcceptable(f"A poster is drawn as {SVG} alone.")
    return SVG


def draw(payload: str, style: Style, media_type: str) -> str | bytes:
    """The code as a picture of this type."""
    return svg(payload, style) if media_type == SVG else png_picture(payload, style)


def svg(payload: str, style: Style) -> str:
    """The code as an SVG document of its size, a module one unit wide."""
    code = _matrix(payload, margin=style.margin)
    side = len(code)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{style.size}" height="{style.size}" '
        f'viewBox="0 0 {side} {side}" shape-rendering="crispEdges" role="img" '
        f'aria-label="QR code">{_drawn(code)}</svg>'
    )


def png_picture(payload: str, style: Style) -> bytes:
    """The code as a PNG picture of exactly its size, each module a whole number of pixels.

    Raises InvalidRequest for a size that leaves a module less than one pixel.
    """
    code = _matrix(payload, margin=style.margin)
    scale = style.size // len(code)
    if scale == 0:
        raise InvalidRequest(f"size: this code needs {len(code)} pixels at least.", param="size")
    before = (style.size - scale * len(code)) // 2
    light = _packed("1" * style.size)
    rows = [light] * before
    for row in code:
        modules = "".join(("0" if dark else "1") * scale for dark in row)
        rows += [_packed(modules.rjust(before + len(modules), "1").ljust(style.size, "1"))] * scale
    rows += [light] * (style.size - len(rows))
    out = io.BytesIO()
    png.Writer(style.size, style.size, greyscale=True, bitdepth=1).write_packed(out, rows)
    return out.getvalue()


def poster(payload: str, style: Style, poster: Poster) -> str:
    """An SVG document to print: the merchant's name, the code, and a line under it."""
    code = _matrix(payload, margin=style.margin)
    side = len(code)
    height = side * _POSTER_RATIO
    heading, line = side * _HEADING_SHARE, side * _LINE_SHARE
    top = 2 * heading
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{style.size}" '
        f'height="{round(style.size * _POSTER_RATIO)}" viewBox="0 0 {side} {height:.2f}" '
        f'role="img" aria-label="{_text(poster.heading)}">'
        f'<path fill="#fff" d="M0 0h{side}v{height:.2f}H0z"/>'
        f"{_line(poster.heading, size=heading, side=side, at=top, weight=700)}"
        f'<g shape-rendering="crispEdges" transform="translate(0 {top:.2f})">{_drawn(code)}</g>'
        f"{_line(poster.line, size=line, side=side, at=top + side + line, weight=400)}</svg>"
    )


def _matrix(payload: str, *, margin: int) -> Matrix:
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M, border=margin)
    code.add_data(payload)
    code.make()
    matrix: Matrix = code.get_matrix()
    return matrix


def _packed(bits: str) -> bytes:
    """A row of pixels, eight a byte, as PNG has them: the library would pack them one by one."""
    return int(bits.ljust(-len(bits) % 8 + len(bits), "1"), 2).to_bytes(-(-len(bits) // 8))


def _drawn(code: Matrix) -> str:
    side = len(code)
    dark = "".join(_runs(code))
    return f'<path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{dark}"/>'


def _runs(code: Matrix) -> list[str]:
    """Each row's dark modules, as rectangles one module high."""
    runs = []
    for y, row in enumerate(code):
        start = None
        for x, dark in enumerate([*row, False]):
            if dark and start is None:
                start = x
            elif not dark and start is not None:
                runs.append(f"M{start} {y}h{x - start}v1H{start}z")
                start = None
    return runs


def _line(text: str, *, size: float, side: int, at: float, weight: int) -> str:
    # Long names are squeezed into the width, never cut by it.
    squeezed = f' textLength="{side * 0.9:.2f}" lengthAdjust="spacingAndGlyphs"'
    is_long = len(text) * size > side * 1.8
    return (
        f'<text x="{side / 2}" y="{at - size / 2:.2f}" text-anchor="middle" '
        f'font-family="sans-serif" font-weight="{weight}" font-size="{size:.2f}"'
        f"{squeezed if is_long else ''}>{_text(text)}</text>"
    )


def _text(text: str) -> str:
    if len(text) > POSTER_NAME_CHARACTERS_MAX:
        text = text[: POSTER_NAME_CHARACTERS_MAX - 1] + "…"
    return escape(text, {'"': "&quot;"})
