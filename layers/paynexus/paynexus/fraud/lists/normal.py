"""The form in which each kind of value is listed and looked up. Pure.

Two ways to write the same value have one normal form, and a normal form is its own. ValueError
says what is wrong with a value that has none.
"""

# ruff: noqa: RUF001 - letters that look like Latin ones are what the tables are about

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

from paynexus.cards import has_card_number
from paynexus.fraud.lists.countries import COUNTRIES
from paynexus.fraud.lists.model import Kind
from paynexus.fraud.lists.words import FORMS

VALUE_LENGTH_MAX = 256
"""Characters of a value before and after it is brought into normal form."""
BIN_LENGTHS = (6, 8)
PREFIX_BITS_MIN = MappingProxyType({4: 8, 6: 16})
"""The widest network, by IP version: a wider one would speak of a large part of the world."""
MAPPED_BITS = 96
"""Of an IPv6 address that says an IPv4 address: ::ffff:0:0/96."""

DOTLESS = frozenset({"gmail.com"})
"""Providers to whom dots before the @ mean nothing."""
TAGGED = frozenset(
    {
        "gmail.com", "outlook.com", "hotmail.com", "live.com", "icloud.com", "proton.me",
        "fastmail.com",
    }
)  # fmt: skip
"""Providers that deliver `name+anything` to `name`. Elsewhere `+` may belong to the name."""
SAME_PROVIDER = MappingProxyType(
    {
        "googlemail.com": "gmail.com",
        "me.com": "icloud.com",
        "mac.com": "icloud.com",
        "protonmail.com": "proton.me",
        "pm.me": "proton.me",
    }
)
"""Domains under which a provider delivers to the same mailbox as under another."""

_LATIN = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l",
        "ı": "i", "ŋ": "n", "ħ": "h", "ə": "a", "ʻ": "", "ʼ": "", "'": "", "’": "", "‘": "",
        "`": "", "´": "", "ʾ": "", "ʿ": "", "ʹ": "", "&": " and ",
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z",
        "и": "i", "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p",
        "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch",
        "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
        "є": "ye", "і": "i", "ї": "yi", "ґ": "g", "ё": "e", "ў": "u", "ј": "j", "љ": "lj",
        "њ": "nj", "ћ": "c", "ђ": "dj", "џ": "dz", "ќ": "kj", "ѓ": "gj", "ѕ": "dz",
        "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th",
        "ι": "i", "κ": "k", "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p",
        "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps",
        "ω": "o",
    }
)  # fmt: skip
"""Letters that have no diacritics to lose, and Cyrillic and Greek, in Latin."""
_DOTTED = re.compile(r"\b(?:\w\.){1,6}\w?\b\.?")
_MAILBOX = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,253}")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def value(kind: Kind, written: str) -> str:
    """The normal form of a value of this kind; ValueError says why it has none."""
    if len(written) > VALUE_LENGTH_MAX:
        raise ValueError(f"a value has {VALUE_LENGTH_MAX} characters at most")
    if "\0" in written:
        raise ValueError("a value holds no NUL")
    return _NORMAL[kind](written.strip())


def fingerprint(written: str) -> str:
    """The fingerprint as payments carry it."""
    if not re.fullmatch(r"[\x21-\x7e]+", written) or has_card_number(written):
        raise ValueError("a fingerprint is one word of printable ASCII, and no card number")
    return written


def email(written: str) -> str:
    """An address, or with nothing before the @ a whole domain, without its subdomains."""
    if written.startswith("@"):
        return "@" + _domain(written[1:])
    if not _MAILBOX.fullmatch(written):
        raise ValueError("write an e-mail address (a@example.com) or a domain (@example.com)")
    local, _, given = unicodedata.normalize("NFKC", written).rpartition("@")
    local, domain = local.casefold(), _domain(given)
    domain = SAME_PROVIDER.get(domain, domain)
    if domain in TAGGED:
        local = local.partition("+")[0] or local
    if domain in DOTLESS:
        local = local.replace(".", "") or local
    return f"{local}@{domain}"


def email_forms(written: str | None) -> list[str]:
    """Under what a payer's address may be listed: itself and its domain; nothing if it is none."""
    if written is None or written.startswith("@"):
        return []
    try:
        listed = value(Kind.EMAIL, written)
        return [listed, "@" + _domain(written.strip().rpartition("@")[2])]
    except ValueError:
        return []


def ip(written: str) -> str:
    """The network, `203.0.113.7/32` for one address; IPv4 told as IPv6 is IPv4."""
    if "%" in written:
        raise ValueError("an address with a zone means nothing elsewhere")
    try:
        given = ipaddress.ip_interface(written)
    except ValueError:
        raise ValueError("write an IP address or a network such as 203.0.113.0/24") from None
    network = _unmapped(given.network)
    if given.ip != given.network.network_address:
        raise ValueError(f"the address lies inside its network: write {network}")
    if network.prefixlen < PREFIX_BITS_MIN[network.version]:
        raise ValueError(f"a network is /{PREFIX_BITS_MIN[network.version]} at the widest")
    return str(network)


def address(written: str | None) -> str | None:
    """A payer's address, as Postgres reads it; None for what is none."""
    try:
        return str(_address(ipaddress.ip_address((written or "").partition("%")[0])))
    except ValueError:
        return None


def country(written: str) -> str:
    """The country's code by ISO 3166-1, two capitals."""
    code = written.upper()
    if code not in COUNTRIES:
        raise ValueError("write a country as ISO 3166-1 alpha-2 does, such as DE (GB, not UK)")
    return code


def country_or_none(written: str | None) -> str | None:
    """A payer's country; None for what is none."""
    code = (written or "").upper()
    return code if code in COUNTRIES else None


def card_bin(written: str) -> str:
    """The first 6 or 8 digits of card numbers."""
    digits = written.replace(" ", "")
    if not re.fullmatch("[0-9]+", digits) or len(digits) not in BIN_LENGTHS:
        raise ValueError("a BIN is the first 6 or 8 digits of a card's number")
    return digits


def bins(card_bin: str | None) -> list[str]:
    """Under what a card may be listed: its first six digits, and its first eight."""
    digits = card_bin or ""
    if not re.fullmatch("[0-9]+", digits):
        return []
    return [digits[:length] for length in BIN_LENGTHS if len(digits) >= length]


def name(written: str) -> str:
    """Lower-case words in Latin letters without diacritics, in the order in which they came.

    Cyrillic and Greek are transliterated. Other scripts stay: such names match when they are
    equal.
    """
    text = _latin(written)
    text = _DOTTED.sub(lambda found: _initials(found[0]), text)
    words = "".join(c if c.isalnum() else " " for c in text).split()
    if not any(c.isalpha() for word in words for c in word):
        raise ValueError("a name has letters")
    return " ".join(words)


def name_or_none(written: str | None) -> str | None:
    """A payer's name in normal form; None for what is none."""
    try:
        return value(Kind.NAME, written[:VALUE_LENGTH_MAX]) if written else None
    except ValueError:
        return None


def _latin(written: str) -> str:
    text = unicodedata.normalize("NFKC", written).casefold()
    text = unicodedata.normalize("NFC", text).translate(_LATIN)
    bare = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in bare if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", bare.translate(_LATIN)).casefold()


def _initials(dotted: str) -> str:
    """`s.a.` is the one word of a company's form, `j.r.` are two initials."""
    letters = dotted.replace(".", "")
    return f" {letters} " if letters in FORMS else " " + " ".join(letters) + " "


def _domain(written: str) -> str:
    try:
        domain = written.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        domain = ""
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("what follows the @ is no domain")
    return domain


type _Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type _Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _unmapped(network: _Network) -> _Network:
    within = network.network_address
    if (
        isinstance(within, ipaddress.IPv6Address)
        and within.ipv4_mapped
        and network.prefixlen >= MAPPED_BITS
    ):
        return ipaddress.IPv4Network((within.ipv4_mapped, network.prefixlen - MAPPED_BITS))
    return network


def _address(given: _Address) -> _Address:
    mapped = given.ipv4_mapped if isinstance(given, ipaddress.IPv6Address) else None
    return mapped or given


_NORMAL: Mapping[Kind, Callable[[str], str]] = MappingProxyType(
    {
        Kind.FINGERPRINT: fingerprint,
        Kind.EMAIL: email,
        Kind.IP: ip,
        Kind.COUNTRY: country,
        Kind.BIN: card_bin,
        Kind.NAME: name,
    }
)
