"""Which hosts certificates are got for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")
_LONGEST: Final = 253


class HostRefused(ValueError):  # noqa: N818 (says what was decided)
    """No certificate is got for the host; the text says why."""


class HostPolicy:
    """The allowed ones; without a list, all that can be hosts of the Internet."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Names that can be no hosts are left out."""
        names = {_ascii(each) for each in allowed}
        self._allowed = names - {None} if names else None

    def normalize(self, name: str) -> str:
        """The host in the form that certificates have it in: lower case, ASCII. Raises `HostRefused`."""
        if not name:
            raise HostRefused("missing server name")
        host = _ascii(name)
        if host is None:
            raise HostRefused("the server name is not one of a host")
        if not self.is_allowed(host):
            raise HostRefused(f'host "{host}" is not in host_whitelist')
        return host

    def is_allowed(self, host: str) -> bool:
        """Whether no list forbids it."""
        return self._allowed is None or host in self._allowed


def _ascii(name: str) -> str | None:
    """None for what is no host name of several labels."""
    host = name.lower().rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return host if len(host) <= _LONGEST and _HOST.fullmatch(host) else None
