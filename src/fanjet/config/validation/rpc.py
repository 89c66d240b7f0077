"""RPC options (04 §6.1, rules 15, 23, 24, and §6.6)."""

from fanjet.config.tree.root import Config
from fanjet.config.tree.rpc import RpcOptions
from fanjet.config.validation.problem import NAME, NAME_PATTERN, Problems, repeated, within
from fanjet.config.validation.proxies import DEFAULT, known_proxy_names, proxy_problems


def without_namespace(config: Config) -> Problems:
    """The proxy of methods without namespace is known."""
    yield from within("in rpc.without_namespace", _option_problems(config.rpc.without_namespace, config))


def each_namespace(config: Config) -> Problems:
    """Names are unique and well-formed, proxies are known."""
    namespaces = config.rpc.namespaces
    for namespace, again in zip(namespaces, repeated(each.name for each in namespaces), strict=True):
        name = namespace.name
        if again:
            yield f"rpc namespace name must be unique: {name}"
        if not NAME.fullmatch(name):
            reason = f"invalid rpc namespace name – {name} (must match {NAME_PATTERN} regular expression)"
            yield f"rpc namespace {name}: {reason}"
        yield from within(f"rpc namespace {name}", _option_problems(namespace, config))


def default_proxy(config: Config) -> Problems:
    """The proxy behind the name `default` is complete when some option uses it."""
    options = (config.rpc.without_namespace, *config.rpc.namespaces)
    if any(each.proxy_enabled and each.proxy_name == DEFAULT for each in options):
        yield from within("in rpc.proxy", proxy_problems(config.rpc.proxy))


def _option_problems(options: RpcOptions, config: Config) -> Problems:
    if options.proxy_name and options.proxy_name not in known_proxy_names(config):
        yield f"proxy {options.proxy_name} not found for rpc"
