"""Remote procedure calls of clients (04 §5.15)."""

from fanjet.config.tree.base import Section, option
from fanjet.config.tree.proxy import Proxy


class RpcOptions(Section):
    """What holds for the methods of one RPC namespace."""

    proxy_enabled: bool = option(False, "proxy RPC calls of these methods to the backend")
    proxy_name: str = option("default", "default = rpc.proxy, or a name from proxies")


class RpcNamespace(RpcOptions):
    """A named set of RPC options."""

    name: str = option("", "unique, ^[-a-zA-Z0-9_.]{2,}$")


class RpcPing(Section):
    """The built-in method that answers an empty result."""

    enabled: bool = option(False, "built-in method answering an empty result")
    method: str = option("ping", "name of the built-in ping method")


class Rpc(Section):
    """RPC namespaces and their proxy."""

    proxy: Proxy = Proxy()
    without_namespace: RpcOptions = RpcOptions()
    namespaces: tuple[RpcNamespace, ...] = option((), "name plus RPC options")
    ping: RpcPing = RpcPing()
    namespace_boundary: str = option(":", "separator of RPC namespace and method; no empty value possible")
