"""Mapping of RPC methods to proxies (04 §5.15, 06 §1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.codes import ERROR_METHOD_NOT_FOUND, ERROR_NOT_AVAILABLE, ReplyError
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.config.tree.rpc import Rpc

log = get_logger(__name__)


class RPCMethods:
    """Finds the proxy of an RPC method by its namespace. Replaced on reload."""

    def __init__(self, config: Rpc) -> None:
        self._boundary = config.namespace_boundary
        self._without_namespace = config.without_namespace
        self._namespaces = {namespace.name: namespace for namespace in config.namespaces}

    def proxy_name(self, method: str) -> str:
        """Return the name of the proxy for a method.

        Raises error 104 for an unknown namespace, 108 if no proxy is enabled for it.
        """
        namespace, boundary, _ = method.partition(self._boundary)
        options = self._namespaces.get(namespace) if boundary and namespace else self._without_namespace
        if options is None:
            log.info("rpc options not found", method=method)
            raise ReplyError(ERROR_METHOD_NOT_FOUND)
        if not options.proxy_enabled:
            log.info("rpc proxy not enabled for a method", method=method)
            raise ReplyError(ERROR_NOT_AVAILABLE)
        return options.proxy_name
