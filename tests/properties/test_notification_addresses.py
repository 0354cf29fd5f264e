"""No webhook goes to an address that is not public, however it is written or resolved."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
import ssrfguard
from hypothesis import example, given
from hypothesis import strategies as st

from paynexus.notification.addresses import (
    REFUSED,
    AddressRefused,
    is_public,
    parse_networks,
    require_usable,
    target_of,
)

DANGEROUS = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"]
LOOPBACK = parse_networks(["127.0.0.0/8"])

HOSTILE_URLS = [
    "http://merchant.example/hook",
    "ftp://merchant.example/hook",
    "file:///etc/passwd",
    "gopher://merchant.example/",
    "//merchant.example/hook",
    "merchant.example/hook",
    "",
    "https://",
    "https:///hook",
    "https://user@merchant.example/",
    "https://user:password@merchant.example/",
    "https://merchant.example\\@127.0.0.1/",
    "https://merchant.example/#fragment",
    "https://merchant.example:0/",
    "https://merchant.example:99999/",
    "https://merchant.example:port/",
    "https://merchant.example/a b",
    "https://merchant.example/\r\nhost: other",
    "https://merchant.example/\x00",
    "https://m\u00fcller.example/",
    "https://merchant\uff0eexample/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://" + "a" * 2048 + ".example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/",
    "https://merchant..example/",
    "https://.example/",
    "https://[v1.fe80::a]/",
]


@pytest.mark.parametrize("text", DANGEROUS)
def test_dangerous_address_is_not_public(text: str) -> None:
    """Every address of the corpus is refused, also when a name resolves to it."""
    assert not is_public(ip_address(text))
    with pytest.raises(AddressRefused):
        target_of("https://merchant.example/", networks=(), resolve=lambda *_: [text])


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_is_reached(text: str) -> None:
    """The guard refuses no ordinary receiver."""
    target = target_of("https://merchant.example/", networks=(), resolve=lambda *_: [text])

    assert text == target.address


@given(st.ip_addresses())
@example(ip_address("192.0.0.9"))
def test_what_is_public_here_is_global_to_python_and_allowed_by_another_guard(
    address: IPv4Address | IPv6Address,
) -> None:
    """Ours is the strictest of three lists: nothing passes it that another would stop."""
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert ssrfguard.Policy().permits_address(address)


def test_no_block_of_another_guard_has_a_public_end() -> None:
    """Sixty ranges of the registries, first and last address of each."""
    ends = [end for block in ssrfguard.DEFAULT_DENIED.blocks for end in _ends(block)]

    assert len(ends) >= 100
    assert [end for end in ends if is_public(end)] == []


def _ends(block: ssrfguard.Block) -> list[IPv4Address | IPv6Address]:
    return [block.network[0], block.network[-1]]


@given(st.sampled_from(REFUSED).flatmap(lambda network: st.ip_addresses(network=network)))
def test_no_address_of_a_refused_range_is_public(address: IPv4Address | IPv6Address) -> None:
    """Not its first, not its last, none between."""
    assert not is_public(address)


@given(st.ip_addresses(v=6).filter(lambda address: address not in ip_network("2000::/3")))
def test_ipv6_is_public_in_its_routed_range_only(address: IPv6Address) -> None:
    """Ranges yet to be assigned are refused before anybody assigns them."""
    assert not is_public(address)


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_url_is_refused_at_registration(url: str) -> None:
    """The merchant learns at once what would never be delivered."""
    with pytest.raises(AddressRefused):
        require_usable(url, networks=())


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_url_is_judged_without_surprise(rest: str, path: str) -> None:
    """Whatever is registered can be sent to: no other error than a refusal ever comes up."""
    url = f"https://{rest}/{path}"
    try:
        require_usable(url, networks=())
        target = target_of(url, networks=(), resolve=lambda *_: ["8.8.8.8"])
    except AddressRefused:
        return
    target.host.encode("idna")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_odd_spelling_of_loopback_is_refused_when_resolved(host: str) -> None:
    """Whatever the resolver makes of it, the address is what counts."""
    with pytest.raises(AddressRefused):
        target_of(f"https://{host}/", networks=(), resolve=lambda *_: ["127.0.0.1"])


def test_the_first_allowed_address_is_pinned() -> None:
    """Of a mixed answer only the public one is ever connected to."""
    answer = ["127.0.0.1", "10.0.0.1", "8.8.8.8", "1.1.1.1"]
    target = target_of("https://merchant.example/x?y=1", networks=(), resolve=lambda *_: answer)

    assert target.address == "8.8.8.8"
    assert (target.host, target.port, target.path) == ("merchant.example", 443, "/x?y=1")


def test_the_name_is_asked_once() -> None:
    """A name server that changes its mind is given no second chance."""
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["8.8.8.8"]

    target_of("https://merchant.example/", networks=(), resolve=resolve)

    assert asked == [("merchant.example", 443)]


def test_named_networks_are_reached_by_http_too() -> None:
    """The local stack's sink is on loopback, without a certificate."""
    require_usable("http://127.0.0.1:8080/hook", networks=LOOPBACK)
    target = target_of("http://127.0.0.1:8080/hook", networks=LOOPBACK, resolve=lambda *_: [])

    assert (target.address, target.port, target.host_header) == (
        "127.0.0.1",
        8080,
        "127.0.0.1:8080",
    )


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://10.0.0.1/", "https://10.0.0.1/"])
def test_a_named_network_opens_no_other(url: str) -> None:
    """Outside of it the rule stays: https, and public."""
    with pytest.raises(AddressRefused):
        require_usable(url, networks=LOOPBACK)
    with pytest.raises(AddressRefused):
        target_of(url, networks=LOOPBACK, resolve=lambda *_: [])


def test_plain_http_by_name_is_refused_on_public_addresses() -> None:
    """Networks allow http names at registration; the address decides when sending."""
    require_usable("http://merchant.example/", networks=LOOPBACK)
    with pytest.raises(AddressRefused):
        target_of("http://merchant.example/", networks=LOOPBACK, resolve=lambda *_: ["8.8.8.8"])
