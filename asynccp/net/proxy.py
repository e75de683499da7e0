"""The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY mean for a URL, as Go's net/http, and so kubectl, has them."""

import ipaddress
import os
from urllib.parse import urlsplit


def environment_proxy(url: str) -> str | None:
    """Return the proxy's URL, None for a direct connection."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return (
            None  # without them urllib.request asks macOS for its settings, as Go doesn't; and it takes 15 ms to load
        )
    from urllib.request import getproxies, proxy_bypass

    parts, proxies = urlsplit(url), getproxies()
    host = parts.hostname or ""
    if is_loopback(host) or _in_networks(host, proxies.get("no", "")):
        return None  # Go's net/http never sends loopback through a proxy
    return None if proxy_bypass(host) else proxies.get(parts.scheme)


def is_loopback(host: str) -> bool:
    return host == "localhost" or _in_networks(host, "127.0.0.0/8,::1")


def _in_networks(host: str, networks: str) -> bool:
    """Tell whether an address is in one of `10.0.0.0/8,192.0.2.1`: Go knows them in NO_PROXY, urllib doesn't."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for one in networks.split(","):
        try:
            if address in ipaddress.ip_network(one.strip(), strict=False):
                return True
        except ValueError:
            continue  # a name
    return False
