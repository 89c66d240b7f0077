"""Client connections (04 §5.10)."""

from fanjet.config.tree.base import Duration, Section, Uint32, option
from fanjet.config.tree.proxy import SwitchableProxy
from fanjet.config.tree.token import SubscriptionToken, Token


class ClientProxies(Section):
    """Proxies of connection events."""

    connect: SwitchableProxy = SwitchableProxy()
    refresh: SwitchableProxy = SwitchableProxy()


class PersonalChannel(Section):
    """The automatic channel of each authenticated user."""

    enabled: bool = option(False, "subscribe every authenticated user to a personal channel on connect")
    personal_channel_namespace: str = option(
        "", "namespace of that channel; empty = channel #<user> without namespace; must exist"
    )
    single_connection: bool = option(False, "keep one connection per user; needs presence in the target namespace")


class DisconnectTarget(Section):
    """The disconnect a connect error becomes."""

    code: Uint32 = option(0, "disconnect code")
    reason: str = option("", "disconnect reason, ASCII")


class DisconnectTransform(Section):
    """What one connect error becomes on unidirectional transports."""

    code: Uint32 = option(0, "connect error code to match; required")
    to: DisconnectTarget = DisconnectTarget()


class ConnectCodeToDisconnect(Section):
    """Connect errors as disconnects on unidirectional transports."""

    enabled: bool = option(False, "apply the transforms on unidirectional transports")
    transforms: tuple[DisconnectTransform, ...] = option((), "list of {code, to: {code, reason}}")


class Client(Section):
    """Authentication, limits and timing of client connections."""

    proxy: ClientProxies = ClientProxies()
    allowed_origins: tuple[str, ...] = option((), "glob patterns matched against the lower-cased Origin")
    token: Token = Token()
    subscription_token: SubscriptionToken = SubscriptionToken()
    allow_anonymous_connect_without_token: bool = option(
        False, "connect without token gives an anonymous (empty user) connection"
    )
    disallow_anonymous_connection_tokens: bool = option(False, "refuse valid tokens whose user ID is empty")
    ping_interval: Duration = option(
        25.0, "server-to-client ping period; negative disables; must be greater than pong_timeout"
    )
    pong_timeout: Duration = option(8.0, "time to wait for a pong; negative disables the check")
    expired_close_delay: Duration = option(25.0, "grace period to refresh an expired connection")
    expired_sub_close_delay: Duration = option(25.0, "grace period to refresh an expired subscription")
    stale_close_delay: Duration = option(10.0, "time for a connection to authenticate")
    channel_limit: int = option(128, "maximum subscriptions per connection, server-side and in-flight ones included")
    queue_max_size: int = option(1048576, "per-connection outgoing queue limit, bytes")
    presence_update_interval: Duration = option(27.0, "presence refresh period")
    concurrency: int = option(
        0, "> 1: commands of one connection run concurrently up to this number; 0/1: strictly one by one"
    )
    channel_position_check_delay: Duration = option(40.0, "minimum time between position checks")
    channel_position_max_time_lag: Duration = option(
        0.0, "maximum PUB/SUB lag for positioned subscribers; 0 = not checked"
    )
    connection_limit: int = option(0, "maximum connections on this node; 0 = unlimited")
    user_connection_limit: int = option(0, "maximum connections per non-empty user ID on this node; 0 = unlimited")
    connection_rate_limit: int = option(0, "new connections per second and node; 0 = unlimited")
    connect_include_server_time: bool = option(False, "put time (Unix ms) into the connect result")
    history_max_publication_limit: int = option(300, "cap of a client history call; negative = none")
    recovery_max_publication_limit: int = option(300, "cap of recovered publications; negative = none")
    insecure_skip_token_signature_verify: bool = option(
        False, "accept tokens without verifying the signature (INSECURE)"
    )
    user_id_http_header: str = option("", "trusted header carrying the user ID set by an authenticating proxy")
    insecure: bool = option(False, "no token needed, permission checks off (INSECURE)")
    subscribe_to_user_personal_channel: PersonalChannel = PersonalChannel()
    connect_code_to_unidirectional_disconnect: ConnectCodeToDisconnect = ConnectCodeToDisconnect()
