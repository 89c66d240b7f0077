"""Checks transforms of connect errors on unidirectional transports.

See 04 §6.1, rules 10, 29, 30.
"""

from fanjet.config.tree.root import Config
from fanjet.config.tree.unidirectional import ConnectCodeToHttpResponse
from fanjet.config.validation.problem import Problems, within

FINAL_STATUSES = range(200, 1000)


def unidirectional_disconnects(config: Config) -> Problems:
    """Disconnects have a code and an ASCII reason; checked even when not enabled."""
    place = "in client.connect_code_to_unidirectional_disconnect"
    for index, transform in enumerate(config.client.connect_code_to_unidirectional_disconnect.transforms):
        if transform.code == 0:
            yield f"{place}: no code specified in transforms[{index}]"
        if transform.to.code == 0:
            yield f"{place}: no disconnect code specified in transforms[{index}].to"
        if not transform.to.reason.isascii():
            yield f"{place}: disconnect reason must be ASCII in transforms[{index}].to"


def unidirectional_responses(config: Config) -> Problems:
    """HTTP responses have a status."""
    sse, stream = config.uni_sse, config.uni_http_stream
    yield from within(
        "in uni_sse.connect_code_to_http_status.transforms", _response_problems(sse.connect_code_to_http_response)
    )
    yield from within(
        "in uni_http_stream.connect_code_to_http_status.transforms",
        _response_problems(stream.connect_code_to_http_response),
    )


def _response_problems(responses: ConnectCodeToHttpResponse) -> Problems:
    for index, transform in enumerate(responses.transforms):
        if transform.code == 0:
            yield f"code should be set in connect_code_to_http_status.transforms[{index}]"
        if transform.to.status_code == 0:
            yield f"status_code should be set in connect_code_to_http_status.transforms[{index}].to_response"
        elif transform.to.status_code not in FINAL_STATUSES:
            place = f"connect_code_to_http_status.transforms[{index}].to_response"
            yield f"status_code {transform.to.status_code} in {place} is not the status of a response"
