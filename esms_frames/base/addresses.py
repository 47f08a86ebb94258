"""The addresses of gateways, and which are on this machine."""

from __future__ import annotations

import ipaddress

SANDBOX = "sandbox"
"""What a server that has proved to be a sandbox is called."""

LIVE_GATEWAY = "live"
"""What everything else is called, by whatever address it is reached: a tunnel, a proxy, the gateway itself."""


LIVE_URL = "https://rest.esms.vn/MainService.svc/json/"

SANDBOX_SERVER = "esms-frames-sandbox"
"""How the answers of a sandbox name their server; that proves nothing, see `proof`."""


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
