"""Proxy objects (04 §6.1, rules 11-13, and §6.2)."""

from fanjet.config.tree.proxy import Proxy, StatusTransform
from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import NAME, NAME_PATTERN, Problems, repeated, within

DEFAULT = "default"
"""The name that stands for the proxy object of the event itself."""

LONGEST_TEXT = 123
"""Bytes that fit a WebSocket close reason."""


def named_proxies(config: Config) -> Problems:
    """Names are unique and not reserved, each proxy is complete."""
    names = [proxy.name for proxy in config.proxies]
    for proxy, again in zip(config.proxies, repeated(names), strict=True):
        if again:
            yield f"duplicate proxy name in channel.named_proxies: {proxy.name}"
        yield from within(f"in proxy {proxy.name}", proxy_problems(proxy, proxy.name))
    if DEFAULT in names:
        yield f"proxy name {DEFAULT} is reserved"


def known_proxy_names(config: Config) -> set[str]:
    """Return the names that options may refer to."""
    return {DEFAULT, *(proxy.name for proxy in config.proxies)}


def proxy_problems(proxy: Proxy, name: str = DEFAULT) -> Problems:
    """Name, timeout, endpoint, and what HTTP statuses are turned into."""
    if not NAME.fullmatch(name):
        yield f"invalid proxy name: {name}, must match {NAME_PATTERN} regular expression"
    if proxy.timeout == 0:
        yield "timeout not set"
    if not proxy.endpoint:
        yield "endpoint not set"
    for index, transform in enumerate(proxy.http.status_to_code_transforms):
        yield from within("in status_to_code_transforms", _transform_problems(transform, index))


def _transform_problems(transform: StatusTransform, index: int) -> Problems:
    item = f"status_to_code_transforms[{index}]"
    error, disconnect = transform.to_error, transform.to_disconnect
    if transform.status_code == 0:
        yield f"status_code should be set in {item}"
    if error.code == 0 and disconnect.code == 0:
        yield f"no error or disconnect code set in {item}"
    if error.code and disconnect.code:
        yield f"only error or disconnect code can be set in {item}, but not both"
    if not disconnect.reason.isascii():
        yield f"{item} disconnect reason must be ASCII"
    if not error.message.isascii():
        yield f"{item} error message must be ASCII"
    if len(error.message.encode()) > LONGEST_TEXT:
        yield f"{item} item error message can be up to {LONGEST_TEXT} characters long"
    if len(disconnect.reason.encode()) > LONGEST_TEXT:
        yield f"{item} disconnect reason can be up to {LONGEST_TEXT} characters long"
