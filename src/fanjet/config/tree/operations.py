"""Endpoints for operators (04 §5.19)."""

from fanjet.config.tree.base import Section, option


class Oidc(Section):
    """Logins by an OpenID Connect provider."""

    enabled: bool = option(False, "log in by an OpenID Connect provider, no more by password")
    display_name: str = option("", "text of the login button")
    issuer: str = option("", "the provider: address below which its configuration is published")
    client_id: str = option("", "client id that the provider has given")
    client_secret: str = option(
        "", "client secret; with one the server, not the browser, gets the tokens, and admin.secret needs 32 characters"
    )
    audience: str = option("", "audience that tokens must be for; empty = client_id")
    redirect_uri: str = option(
        "", "where the provider sends browsers back to: the console, with client_secret its admin/oidc/callback"
    )
    extra_scopes: tuple[str, ...] = option((), "scopes to ask for besides openid")
    access_cel: str = option("", "CEL expression over claims: whom it is true for may do everything, others nothing")


class Admin(Section):
    """Admin UI and its API."""

    enabled: bool = option(False, "admin UI and its endpoints")
    handler_prefix: str = option("", "URL prefix; empty = root")
    password: str = option("", "login password; without it or without secret login answers 400")
    secret: str = option("", "signs the login token; empty → 401 on admin API")
    insecure: bool = option(False, "no login (INSECURE)")
    web_path: str = option("", "serve the UI from this directory instead of the embedded one")
    web_proxy_address: str = option("", "reverse-proxy the UI to this address (UI development)")
    external: bool = option(False, "serve on the external listener")
    api_key: str = option("", "key that admin endpoints take in the header X-API-Key instead of a login; empty = none")
    oidc: Oidc = Oidc()


class Prometheus(Section):
    """The metrics endpoint."""

    enabled: bool = option(False, "metrics endpoint")
    handler_prefix: str = option("/metrics", "URL path")
    instrument_http_handlers: bool = option(False, "count HTTP requests per route/method/status")
    recovered_publications_histogram: bool = option(False, "histogram of recovered publication counts")
    native_histograms: bool = option(False, "no summaries, whose quantiles histograms give, too")
    channel_namespace_resolution: bool = option(False, "fill the label channel_namespace")
    additional_client_names: tuple[str, ...] = option(
        (), "names of clients that have a label value of their own, besides those of the official SDKs"
    )
    expose_transport_accept_protocol: bool = option(False, "fill the label accept_protocol: h1, h2 or h3")
    client_labels: tuple[str, ...] = option((), "labels of connections that metrics about clients have, as app_<name>")


class Health(Section):
    """The health endpoint."""

    enabled: bool = option(False, "health endpoint")
    handler_prefix: str = option("/health", "URL path")


class Swagger(Section):
    """Swagger UI of the HTTP API."""

    enabled: bool = option(False, "Swagger UI of the HTTP API")
    handler_prefix: str = option("/swagger", "URL prefix (served with a trailing /)")


class Debug(Section):
    """Profiling endpoints."""

    enabled: bool = option(False, "profiling endpoints")
    handler_prefix: str = option("/debug/pprof", "URL prefix; not trimmed of a trailing /")
