"""A camera for tests: an independent decoder reads the picture of a QR code."""

import png  # type: ignore[import-untyped]  # pypng has no types
import zxingcpp


def read_picture(picture: bytes) -> tuple[int, int, str]:
    """Width and height in pixels of a PNG picture, and the text of the one code in it."""
    width, height, rows, _ = png.Reader(bytes=picture).asRGB8()
    # Red alone is enough: the picture is black and white.
    pixels = b"".join(bytes(row[::3]) for row in rows)
    view = memoryview(pixels).cast("B", shape=[height, width])
    # Only what it is to be: by chance a part of it may read as some other kind of bar code.
    formats = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    [found] = zxingcpp.read_barcodes(view, formats=formats)
    return width, height, found.text
