"""Each kind of value has one normal form."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.fraud.lists import normal
from paynexus.fraud.lists.model import Kind


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        (Kind.EMAIL, " Ann.Lee+shop@GoogleMail.com ", "annlee@gmail.com"),
        (Kind.EMAIL, "Ann.Lee+shop@outlook.com", "ann.lee@outlook.com"),
        (Kind.EMAIL, "Ann.Lee+shop@example.com", "ann.lee+shop@example.com"),
        (Kind.EMAIL, "ann@Bücher.example", "ann@xn--bcher-kva.example"),
        (Kind.EMAIL, "@Example.COM", "@example.com"),
        (Kind.EMAIL, "ann@pm.me", "ann@proton.me"),
        (Kind.IP, "203.0.113.7", "203.0.113.7/32"),
        (Kind.IP, "203.0.113.0/24", "203.0.113.0/24"),
        (Kind.IP, "::ffff:203.0.113.7", "203.0.113.7/32"),
        (Kind.IP, "::ffff:203.0.113.0/120", "203.0.113.0/24"),
        (Kind.IP, "2001:DB8:0:0::/48", "2001:db8::/48"),
        (Kind.COUNTRY, "de", "DE"),
        (Kind.BIN, "4001 23", "400123"),
        (Kind.BIN, "40012345", "40012345"),
        (Kind.FINGERPRINT, "fp_1Az", "fp_1Az"),
        (Kind.NAME, "  AL-KARIMI,  Yousef ", "al karimi yousef"),
        (Kind.NAME, "Łukasz Straße", "lukasz strasse"),
        (Kind.NAME, "O\u2019Brien & Co. S.A.", "obrien and co sa"),
        (Kind.NAME, "Щербаков", "shcherbakov"),
    ],
)
def test_normal_forms(kind: Kind, written: str, expected: str) -> None:
    """And each is its own."""
    assert normal.value(kind, written) == expected
    assert normal.value(kind, expected) == expected


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Kind.EMAIL, "ann"),
        (Kind.EMAIL, "ann@"),
        (Kind.EMAIL, "a b@example.com"),
        (Kind.EMAIL, "@localhost"),
        (Kind.EMAIL, "ann@" + "x" * 200 + ".com"),
        (Kind.IP, "203.0.113.7/24"),
        (Kind.IP, "0.0.0.0/0"),
        (Kind.IP, "::/0"),
        (Kind.IP, "fe80::1%eth0"),
        (Kind.IP, "203.0.113"),
        (Kind.COUNTRY, "UK"),
        (Kind.COUNTRY, "DEU"),
        (Kind.BIN, "4001234"),
        (Kind.BIN, "٤٠٠١٢٣"),
        (Kind.FINGERPRINT, "4000000000000002"),
        (Kind.FINGERPRINT, ""),
        (Kind.NAME, "123 -"),
        (Kind.NAME, "a\0b"),
        (Kind.NAME, "a" * 300),
    ],
)
def test_what_has_no_normal_form_is_refused(kind: Kind, written: str) -> None:
    """With a reason."""
    with pytest.raises(ValueError, match=r"\w{3}"):
        normal.value(kind, written)


@given(st.sampled_from(Kind), st.text(max_size=80) | st.emails() | st.ip_addresses().map(str))
def test_a_normal_form_is_its_own(kind: Kind, written: str) -> None:
    """Whatever is written; nothing but ValueError comes of it."""
    try:
        once = normal.value(kind, written)
    except ValueError:
        return

    assert normal.value(kind, once) == once


@given(st.ip_addresses(v=4))
def test_one_address_is_one_however_it_is_told(address: ipaddress.IPv4Address) -> None:
    """IPv4, and the same as IPv6."""
    told = f"::ffff:{address}"

    assert normal.value(Kind.IP, told) == normal.value(Kind.IP, str(address))
    assert normal.address(told) == str(address)
