"""The host policy: the hosts that certificates are obtained for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")
_LONGEST: Final = 253


class HostRefused(ValueError):  # noqa: N818 (says what was decided)
    """No certificate is obtained for the host; the text says why."""


class HostPolicy:
    """The allowed hosts; without a list, all valid public host names."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Invalid host names are ignored."""
        names = {_ascii(each) for each in allowed}
        self._allowed = names - {None} if names else None

    def normalize(self, name: str) -> str:
        """The host name in lower-case ASCII. Raises `HostRefused`."""
        if not name:
            raise HostRefused("missing server name")
        host = _ascii(name)
        if host is None:
            raise HostRefused("the server name is not one of a host")
        if not self.is_allowed(host):
            raise HostRefused(f'host "{host}" is not in host_whitelist')
        return host

    def is_allowed(self, host: str) -> bool:
        """Whether the host is on the list, or there is none."""
        return self._allowed is None or host in self._allowed


def _ascii(name: str) -> str | None:
    """The host name in lower-case ASCII; None if it is invalid or has a single label."""
    host = name.lower().rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return host if len(host) <= _LONGEST and _HOST.fullmatch(host) else None
