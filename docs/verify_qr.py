"""Verify a PayNexus QR code offline: its text, the published keys, nothing else.

curl -sS "$API_URL/.well-known/qr-keys.json" > keys.json
python verify_qr.py keys.json < code.txt
"""

import base64
import binascii
import json
import struct
import sys
import time
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SKEW_SECONDS = 120
SIGNATURE_HEAD = "0007dev.pnx0180"


def objects(text: str) -> dict[str, str]:
    """EMVCo's data objects: two digits of id, two of length, the value."""
    values: dict[str, str] = {}
    while text:
        number, end = text[:2], 4 + int(text[2:4])
        if number in values or not text[4:end] or len(text) < end:
            raise ValueError("no EMVCo text")
        values[number], text = text[4:end], text[end:]
    return values


def verified(text: str, keys: dict[str, list[dict[str, str]]], now: float) -> dict[str, str]:
    """The objects of a code that one of the keys signed and that has not expired."""
    body, checksum = text[:-4].encode("ascii"), text[-4:]
    if f"{binascii.crc_hqx(body, 0xFFFF):04X}" != checksum:
        raise ValueError("misread: the checksum is wrong")
    values = objects(text)
    stamp = base64.b85decode(objects(values["80"])["01"])
    _form, key_id, expiry, _nonce = struct.unpack(">B4sI8s", stamp)
    x = {key["kid"]: key["x"] for key in keys["keys"]}[key_id.hex()]
    signed = text[: text.rindex("81" + f"{len(values['81']):02d}" + values["81"])]
    if list(values)[-2:] != ["81", "63"] or not values["81"].startswith(SIGNATURE_HEAD):
        raise ValueError("the signature does not stand where it belongs")
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "="))
    signature = base64.b85decode(values["81"].removeprefix(SIGNATURE_HEAD))
    key.verify(signature, b"paynexus qr 1\0" + signed.encode())
    if expiry and now >= expiry + SKEW_SECONDS:
        raise ValueError("expired")
    return values


if __name__ == "__main__":
    honoured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        said = verified(sys.stdin.read().strip("\r\n"), honoured, time.time())
    except (ValueError, LookupError, struct.error, InvalidSignature) as error:
        sys.exit(f"not to be paid: {error!r}")
    print(said["59"], said.get("54", "any amount"), said["53"])
