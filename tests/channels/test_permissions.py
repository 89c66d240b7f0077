"""The permission model (03 §4, §5.6): every option with every operation and kind of client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from msgspec import structs

from fanjet.channels.namespaces import Namespaces, Resolved
from fanjet.channels.permissions import (
    may_be_subscribed_at_connect,
    may_publish,
    may_read_history,
    may_read_presence,
    may_subscribe,
    refuse_subscribe,
    with_requested_options,
)
from fanjet.channels.subscription import Source, from_namespace
from fanjet.config.tree.channel import Channel, ChannelNamespace, ChannelOptions
from fanjet.protocol.capability import Capability

BOOLEANS = (False, True)
OPERATIONS = {"publish": may_publish, "presence": may_read_presence, "history": may_read_history}
CODES = {"subscribe": "sub", "publish": "pub", "presence": "prs", "history": "hst"}
OTHER_CODES = {code: tuple(other for other in CODES.values() if other != code) for code in CODES.values()}


@dataclass
class Principal:
    """A connection, as far as decisions look at it."""

    user: str = "u1"
    capabilities: Sequence[Capability] = ()
    meta: bytes = b""
    labels: Mapping[str, str] | None = None


def capable(*codes: str, channel: str = "n:x") -> tuple[Capability, ...]:
    return (Capability([channel], "", list(codes)),)


def resolved(channel: str, **options) -> Resolved:
    """`channel` in a configuration whose only namespace `n` has these options."""
    return Namespaces(Channel(namespaces=(ChannelNamespace(name="n", **options),))).resolve(channel)


# ------------------------------------------------------------------------------------------------------ operations


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("for_client", "for_subscriber", "for_anonymous"), list(product(BOOLEANS, repeat=3)))
@pytest.mark.parametrize(("user", "subscribed", "insecure"), list(product(("u1", ""), BOOLEANS, BOOLEANS)))
@pytest.mark.parametrize(
    ("of_connection", "of_subscription"),
    [
        pytest.param(None, None, id="nothing-brought-along"),
        pytest.param("right", None, id="connection-capability"),
        pytest.param(None, "right", id="subscription-capability"),
        pytest.param("others", "others", id="other-capabilities"),
        pytest.param("elsewhere", None, id="capability-elsewhere"),
    ],
)
@pytest.mark.parametrize("expression", ["", "false", "true"], ids=["no-cel", "cel-false", "cel-true"])
def test_operations(
    operation,
    for_client,
    for_subscriber,
    for_anonymous,
    user,
    subscribed,
    insecure,
    of_connection,
    of_subscription,
    expression,
):
    code = CODES[operation]
    capabilities = {
        None: (),
        "right": capable(code),
        "others": capable(*OTHER_CODES[code]),
        "elsewhere": capable(code, channel="n:y"),
    }
    allowed = {None: (), "right": (code,), "others": OTHER_CODES[code]}
    granted = OPERATIONS[operation](
        resolved(
            "n:x",
            **{
                f"allow_{operation}_for_client": for_client,
                f"allow_{operation}_for_subscriber": for_subscriber,
                f"allow_{operation}_for_anonymous": for_anonymous,
                f"{operation}_cel": expression,
            },
        ),
        Principal(user, capabilities[of_connection]),
        subscribed=subscribed,
        insecure=insecure,
        allowed=allowed[of_subscription],
    )

    if insecure or "right" in (of_connection, of_subscription) or expression == "true":
        assert granted
    elif not user and not for_anonymous:
        assert not granted
    elif for_client:
        assert granted
    else:
        assert granted is (for_subscriber and subscribed)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_switches_of_other_operations_grant_nothing(operation):
    others = [name for name in ("subscribe", "publish", "presence", "history") if name != operation]
    switches = {
        option: True
        for other in others
        for who in ("client", "anonymous", "subscriber")
        if (option := f"allow_{other}_for_{who}") in ChannelOptions.model_fields
    }
    expressions = {f"{other}_cel": "true" for other in others}
    channel = resolved("n:x", **switches, **expressions, presence=True, history_size=10, history_ttl=60.0)
    assert not OPERATIONS[operation](channel, Principal(), subscribed=True, insecure=False)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_expressions_see_the_request(operation):
    expression = "subscribed && user == 'u1' && channel == 'n:x' && meta.level > 2 && labels.tier == 'pro'"
    channel = resolved("n:x", **{f"{operation}_cel": expression})
    principal = Principal(meta=b'{"level": 3}', labels={"tier": "pro"})
    may = OPERATIONS[operation]
    assert may(channel, principal, subscribed=True, insecure=False)
    assert not may(channel, principal, subscribed=False, insecure=False)
    assert not may(channel, Principal(meta=b'{"level": 3}'), subscribed=True, insecure=False)


# ------------------------------------------------------------------------------------------------------ subscribe


@pytest.mark.parametrize(("for_client", "for_anonymous", "user_limited", "insecure"), list(product(BOOLEANS, repeat=4)))
@pytest.mark.parametrize("channel", ["n:plain", "n:a#u1,u2", "n:a#", "n:a#u9,"])
@pytest.mark.parametrize("user", ["u1", "u3", ""])
@pytest.mark.parametrize("codes", [None, ("sub",), OTHER_CODES["sub"]], ids=["no-caps", "sub", "other-caps"])
@pytest.mark.parametrize("expression", ["", "false", "true"], ids=["no-cel", "cel-false", "cel-true"])
def test_subscribe(for_client, for_anonymous, user_limited, insecure, channel, user, codes, expression):
    granted = may_subscribe(
        resolved(
            channel,
            allow_subscribe_for_client=for_client,
            allow_subscribe_for_anonymous=for_anonymous,
            allow_user_limited_channels=user_limited,
            subscribe_cel=expression,
        ),
        Principal(user, capable(*codes, channel=channel) if codes else ()),
        insecure=insecure,
    )
    limited = user_limited and "#" in channel
    if limited and user == "u1" and channel == "n:a#u1,u2":
        assert granted is Source.USER_LIMITED
    elif codes == ("sub",):
        assert granted is Source.CONNECTION_CAPABILITY
    elif expression == "true":
        assert granted is Source.EXPRESSION
    elif not limited and for_client and (user or for_anonymous):
        assert granted is Source.CLIENT_ALLOWED
    elif insecure:
        assert granted is Source.CLIENT_INSECURE
    else:
        assert granted is None


@pytest.mark.parametrize(
    ("channel", "options", "stream_wanted", "has_token", "code"),
    [
        pytest.param("n:x", {}, True, False, None, id="fine"),
        pytest.param("n:x", {}, True, True, None, id="fine-with-token"),
        pytest.param("n:é", {}, True, True, 107, id="invalid-name"),
        pytest.param("n:x", {"channel_regex": "^[0-9]$"}, True, True, 107, id="invalid-name-by-expression"),
        pytest.param("n:x", {}, False, True, 103, id="other-type-wanted"),
        pytest.param("$n:x", {}, True, False, 103, id="private-without-token"),
        pytest.param("$n:x", {}, True, True, None, id="private-with-token"),
        pytest.param("$n:é", {}, True, False, 107, id="name-before-private"),
        pytest.param("n:é", {}, False, False, 107, id="name-before-type"),
        pytest.param("n:x", {"subscription_type": "map"}, False, True, 108, id="type-not-built"),
        pytest.param(
            "n:x", {"subscription_type": "shared_poll"}, True, False, 108, id="type-not-built-wanted-as-stream"
        ),
        pytest.param("n:é", {"subscription_type": "map"}, False, True, 107, id="name-before-type-not-built"),
    ],
)
def test_what_no_client_can_subscribe_to(channel, options, stream_wanted, has_token, code):
    refusal = refuse_subscribe(resolved(channel, **options), stream_wanted=stream_wanted, has_token=has_token)
    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("channel", "options", "code"),
    [
        pytest.param("n:x", {}, None, id="fine"),
        pytest.param("$n:x", {}, None, id="private"),
        pytest.param("n:é", {}, 107, id="invalid-name"),
        pytest.param("n:x", {"subscription_type": "map_users"}, 108, id="type-not-built"),
    ],
)
def test_what_no_command_can_name(channel, options, code):
    refusal = resolved(channel, **options).refusal
    assert (refusal.code if refusal else None) == code


# ------------------------------------------------------------------------------------------------------ wishes

ACCESS = [
    pytest.param({}, "u1", False, False, id="none"),
    pytest.param({"for_client": True}, "u1", False, True, id="client"),
    pytest.param({"for_subscriber": True}, "u1", False, True, id="subscriber"),
    pytest.param({"for_anonymous": True}, "u1", False, False, id="anonymous-switch-alone"),
    pytest.param({"for_client": True}, "", False, False, id="anonymous-without-switch"),
    pytest.param({"for_client": True, "for_anonymous": True}, "", False, True, id="anonymous-with-switch"),
    pytest.param({"for_subscriber": True, "for_anonymous": True}, "", False, True, id="anonymous-subscriber"),
    pytest.param({}, "", True, True, id="insecure"),
]


def granted(user: str, insecure: bool, principal: Principal | None = None, allow=(), options=None, **wishes):
    channel = resolved("n:x", **(options or {}))
    wishes = {"positioned": False, "recoverable": False, "join_leave": False, **wishes}
    made = structs.replace(from_namespace(channel.options, Source.CLIENT_ALLOWED), allow=tuple(allow))
    return with_requested_options(made, channel, principal or Principal(user), insecure=insecure, **wishes)


@pytest.mark.parametrize(("access", "user", "insecure", "reads"), ACCESS)
@pytest.mark.parametrize("allowed", BOOLEANS)
@pytest.mark.parametrize("forced", BOOLEANS)
@pytest.mark.parametrize("wished", BOOLEANS)
@pytest.mark.parametrize(
    ("wish", "option", "field"),
    [
        ("positioned", "positioning", "positioning"),
        ("recoverable", "recovery", "recovery"),
    ],
)
def test_positions_and_recovery_need_their_option_or_history_access(
    wish, option, field, wished, forced, allowed, access, user, insecure, reads
):
    options = {f"allow_history_{who}": value for who, value in access.items()}
    options |= {f"allow_{option}": allowed, f"force_{option}": forced}
    made = granted(user, insecure, options=options, **{wish: wished})
    assert getattr(made, field) is (forced or (wished and (allowed or reads)))


@pytest.mark.parametrize(("access", "user", "insecure", "reads"), ACCESS)
@pytest.mark.parametrize("emitted", BOOLEANS)
@pytest.mark.parametrize("forced", BOOLEANS)
@pytest.mark.parametrize("wished", BOOLEANS)
def test_join_and_leave_need_emission_and_presence_access(wished, forced, emitted, access, user, insecure, reads):
    options = {f"allow_presence_{who}": value for who, value in access.items()}
    options |= {"join_leave": emitted, "force_push_join_leave": forced}
    made = granted(user, insecure, options=options, join_leave=wished)
    assert made.push_join_leave is (forced or (wished and emitted and reads))


@pytest.mark.parametrize("where", ["connection", "subscription"])
@pytest.mark.parametrize("code", CODES.values())
def test_capabilities_fulfil_wishes(code, where):
    principal = Principal(capabilities=capable(code) if where == "connection" else ())
    allow = (code,) if where == "subscription" else ()
    wishes = {"positioned": True, "recoverable": True, "join_leave": True}
    made = granted("u1", False, principal, allow, options={"join_leave": True}, **wishes)
    assert (made.positioning, made.recovery) == (code == "hst", code == "hst")
    assert made.push_join_leave is (code == "prs")


def test_expressions_fulfil_no_wishes():
    options = {"history_cel": "true", "presence_cel": "true", "join_leave": True}
    made = granted("u1", False, options=options, positioned=True, recoverable=True, join_leave=True)
    assert (made.positioning, made.recovery, made.push_join_leave) == (False, False, False)


def test_wishes_leave_everything_else_alone():
    options = {"allow_positioning": True, "presence": True, "allow_tags_filter": True}
    plain = granted("u1", False, options=options)
    positioned = granted("u1", False, options=options, positioned=True)
    assert plain == from_namespace(resolved("n:x", **options).options, Source.CLIENT_ALLOWED)
    assert positioned.positioning
    assert positioned.presence
    assert positioned.allow_tags_filter


def test_recovery_is_no_positioning_wish():
    assert not granted("u1", False, options={"allow_recovery": True}, positioned=True).positioned
    assert not granted("u1", False, options={"allow_positioning": True}, recoverable=True).positioned


# ------------------------------------------------------------------------------------------------------ at connect

OPEN = {"allow_subscribe_for_client": True}


@pytest.mark.parametrize(
    ("channel", "options", "user", "insecure", "accepted"),
    [
        pytest.param("n:x", OPEN, "u1", False, True, id="allowed"),
        pytest.param("n:x", {}, "u1", False, False, id="not-allowed"),
        pytest.param("n:x", {}, "u1", True, True, id="insecure"),
        pytest.param("n:x", OPEN, "", False, False, id="anonymous"),
        pytest.param("n:x", {**OPEN, "allow_subscribe_for_anonymous": True}, "", False, True, id="anonymous-allowed"),
        pytest.param("$n:x", OPEN, "u1", True, False, id="private-even-if-insecure"),
        pytest.param("n:é", OPEN, "u1", True, False, id="invalid-name-even-if-insecure"),
        pytest.param("n:x", {**OPEN, "subscribe_proxy_enabled": True}, "u1", True, False, id="proxy-decides"),
        pytest.param("n:x", {**OPEN, "subscribe_stream_proxy_enabled": True}, "u1", True, False, id="stream-proxy"),
        pytest.param("n:a#u1", {"allow_user_limited_channels": True}, "u1", False, True, id="listed"),
        pytest.param("n:a#u2", {**OPEN, "allow_user_limited_channels": True}, "u1", False, False, id="not-listed"),
        pytest.param("n:a#u2", {"allow_user_limited_channels": True}, "u1", True, True, id="not-listed-but-insecure"),
        pytest.param("n:a#", {"allow_user_limited_channels": True}, "", False, False, id="anonymous-is-never-listed"),
        pytest.param("n:a#u2", OPEN, "u1", False, True, id="list-without-the-option"),
        pytest.param("n:x", {"subscribe_cel": "true"}, "u1", False, False, id="expressions-have-no-say"),
    ],
)
def test_channels_that_a_client_asks_for_at_connect(channel, options, user, insecure, accepted):
    assert may_be_subscribed_at_connect(resolved(channel, **options), user, insecure=insecure) is accepted
