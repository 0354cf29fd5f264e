"""Parts of ISO 20022 documents, as we write them. Pure."""

from xml.etree import ElementTree as ET  # writes only

from paynexus.money import EXPONENTS


def nested(parent: ET.Element, *tags: str) -> ET.Element:
    """New elements, one in the other; the innermost."""
    for tag in tags:
        parent = ET.SubElement(parent, tag)
    return parent


def leaves(parent: ET.Element, **texts: str) -> None:
    """New elements beside each other, that hold these texts."""
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = text


def decimal(amount: int, currency: str) -> str:
    """Minor units, not negative, as the standard writes them: no float on the way."""
    exponent = EXPONENTS[currency]
    whole, fraction = divmod(amount, 10**exponent)
    return f"{whole}.{fraction:0{exponent}d}" if exponent else str(whole)
