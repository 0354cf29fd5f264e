"""QR codes over HTTP: draw them, and publish the keys that sign them."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from paynexus import http, runtime
from paynexus.merchants.service import profile_of
from paynexus.qr import image, service, views
from paynexus.qr.model import QrCode

KEYS_MAX_AGE_SECONDS = 300
PICTURE_MAX_AGE_SECONDS = 86_400
"""A code's text never changes, so neither does its picture."""

type Size = Annotated[int, Query(ge=image.PIXELS_MIN, le=image.PIXELS_MAX)]
type Margin = Annotated[int, Query(ge=image.MARGIN_MIN, le=image.MARGIN_MAX)]

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get(
    "/qr-codes/<qr_code_id>/image",
    summary="Draw a QR code",
    responses={200: {"description": "The picture", "content": {image.SVG: {}, image.PNG: {}}}},
)
def draw(
    qr_code_id: str,
    size: Size = image.PIXELS_DEFAULT,
    margin: Margin = image.MARGIN_DEFAULT,
    layout: Annotated[Literal["code", "poster"], Query()] = "code",
) -> Response[str]:
    """SVG, or PNG for `Accept: image/png`; `layout=poster` adds the merchant's name, as SVG.

    `size` is the width in pixels, `margin` the modules of light around the code.
    """
    code, style = own_code(router, qr_code_id), image.Style(size, margin)
    accept = router.current_event.headers.get("accept") or ""
    if layout == "poster":
        media_type = image.require_svg(accept)
        picture: str | bytes = image.poster(code.payload, style, _poster_of(code))
    else:
        media_type = image.media_type_of(accept)
        picture = image.draw(code.payload, style, media_type)
    headers = {"Cache-Control": f"private, max-age={PICTURE_MAX_AGE_SECONDS}", "Vary": "Accept"}
    return http.picture_reply(media_type, picture, headers=headers)


@router.get("/.well-known/qr-keys.json", summary="Read the public keys of QR codes")
def publish_qr_keys() -> Response[str]:
    """What verifies codes offline: keys stand here before they sign, and after they stopped."""
    headers = {"Cache-Control": f"public, max-age={KEYS_MAX_AGE_SECONDS}"}
    return http.reply(200, runtime.qr_keys().jwks(), headers=headers)


def own_code(api: BaseRouter, qr_code_id: str) -> QrCode:
    """The caller's code of this id; NotFound for another's."""
    who = runtime.principal(api)
    return service.find(runtime.database(), qr_code_id, merchant_id=who.merchant_id, mode=who.mode)


def _poster_of(code: QrCode) -> image.Poster:
    return image.Poster(merchant_name(code), views.asked_in_words(code))


def merchant_name(code: QrCode) -> str:
    """What the code's merchant is called."""
    return profile_of(runtime.database(), code.merchant_id).merchant.name
