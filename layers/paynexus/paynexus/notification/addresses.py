"""Where webhooks may go: public addresses over https, and networks named in the settings.

`ipaddress.is_global` lets dangerous addresses pass, so the refused ranges are listed here. A
name is resolved once and the socket is opened to the very address that was checked: a second
answer of the name server (DNS rebinding) is never asked for.
"""

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network
type Resolve = Callable[[str, int], Sequence[str]]

URL_LENGTH_MAX = 2048
HOST_LENGTH_MAX = 253
HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")

REFUSED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        # Inside the one range of IPv6 that is routed at all:
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
ROUTED_IPV6 = ip_network("2000::/3")
"""Global unicast. All else of IPv6 is refused: loopback, mapped and translated IPv4, unique
local, link-local, site-local, multicast, segment routing."""


class AddressRefused(ValueError):
    """The URL can't be used for webhooks; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, split, with the address that was checked and must be connected to."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def host_header(self) -> str:
        """The host as the receiver expects it, with a port that isn't the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == DEFAULT_PORTS[self.scheme]
        return host if is_usual else f"{host}:{self.port}"


DEFAULT_PORTS = {"https": 443, "http": 80}


def is_public(address: Address) -> bool:
    """Whether an address is on the open Internet and harmless to connect to."""
    if isinstance(address, IPv6Address) and address not in ROUTED_IPV6:
        return False
    return not _within(address, REFUSED)


def require_usable(url: str, *, networks: Sequence[Network]) -> None:
    """AddressRefused unless `url` may be registered; names are resolved only when sending."""
    parts = _split(url)
    literal = _literal(parts.hostname or "")
    if literal is not None:
        _require_allowed(literal, parts.scheme, networks)
    elif parts.scheme != "https" and not networks:
        raise AddressRefused("use an https URL")


def target_of(url: str, *, networks: Sequence[Network], resolve: Resolve) -> Target:
    """Where to connect for `url`: the first of its addresses that is allowed.

    AddressRefused if there is none; OSError if the name can't be resolved.
    """
    parts = _split(url)
    host = parts.hostname or ""
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    literal = _literal(host)
    found = [literal] if literal else [ip_address(text) for text in resolve(host, port)]
    for address in found:
        if _is_allowed(address, parts.scheme, networks):
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return Target(parts.scheme, host, port, path, str(address))
    raise AddressRefused("the host has no address that webhooks may reach")


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order of the system's preference."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDR strings as networks; ValueError for a malformed one."""
    return tuple(ip_network(text) for text in texts)


def _split(url: str) -> SplitResult:
    if len(url) > URL_LENGTH_MAX:
        raise AddressRefused(f"a URL has at most {URL_LENGTH_MAX} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressRefused("write the URL in printable ASCII, without spaces or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"the URL is malformed: {error}") from None
    _require_shape(parts, port)
    return parts


def _require_shape(parts: SplitResult, port: int | None) -> None:
    if parts.scheme not in DEFAULT_PORTS:
        raise AddressRefused("use an https URL")
    if not _is_host(parts.hostname or ""):
        raise AddressRefused("the URL needs a plain host name or address")
    if "@" in parts.netloc:
        raise AddressRefused("the URL must not hold a user name or password")
    if parts.fragment:
        raise AddressRefused("the URL must not hold a fragment")
    if port == 0:
        raise AddressRefused("port 0 can't be connected to")


def _is_host(host: str) -> bool:
    if ":" in host:
        return "%" not in host and _literal(host) is not None
    return len(host) <= HOST_LENGTH_MAX and HOST.fullmatch(host) is not None


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _require_allowed(address: Address, scheme: str, networks: Sequence[Network]) -> None:
    if not _is_allowed(address, scheme, networks):
        raise AddressRefused("use an https URL on a public address")


def _is_allowed(address: Address, scheme: str, networks: Sequence[Network]) -> bool:
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    if _within(address, networks):
        return True
    return scheme == "https" and is_public(address)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
