"""Verification of connection and subscription tokens (04 §5.12)."""

from fanjet.config.tree.base import KeyValues, Section, option
from fanjet.config.tree.tls import Tls

_META = "claims to put into the connection's meta, by key of meta; dots in a claim's path lead into objects and arrays"
_LABELS = "claims to make labels of the connection from, by label, as in meta_from_claim"


class JwksProvider(Section):
    """A party that signs tokens and publishes its keys."""

    name: str = option("", "unique name; must match ^[a-zA-Z0-9_]{2,}$")
    enabled: bool = option(False, "accept tokens of this provider")
    endpoint: str = option("", "JWKS URL; required when enabled")
    issuer: str = option("", "iss of the provider's tokens; required when enabled")
    audience: str = option(
        "", "aud of the tokens that are for this provider; needed where providers share an issuer, advised everywhere"
    )
    tls: Tls = Tls()
    meta_from_claim: KeyValues = option({}, f"{_META}; for this provider's tokens alone")
    labels_from_claim: KeyValues = option({}, f"{_LABELS}; for this provider's tokens alone")


class Jwks(Section):
    """Several parties that sign tokens, told apart by issuer and audience."""

    enabled: bool = option(False, "verify tokens with the keys of the providers; excludes jwks_public_endpoint")
    providers: tuple[JwksProvider, ...] = option((), "the parties, the first that fits a token verifies it")


class Token(Section):
    """Keys and rules by which tokens are verified."""

    hmac_secret_key: str = option("", "secret for HS256/384/512; empty = HMAC tokens disabled")
    hmac_previous_secret_key: str = option("", "second HMAC secret tried when the current one fails")
    hmac_previous_secret_key_valid_until: int = option(
        0, "Unix seconds after which the previous secret is refused; 0 = no limit"
    )
    rsa_public_key: str = option(
        "", "PEM text (PKIX key or certificate) for RS256/384/512. Plain string: no file path or base64 form"
    )
    ecdsa_public_key: str = option("", "PEM text (PKIX key or certificate) for ES256/384/512")
    jwks_public_endpoint: str = option(
        "", "JWKS URL (may contain {{name}} variables); when set, the static keys above are not used"
    )
    jwks: Jwks = Jwks()
    audience: str = option("", "required aud value; excludes audience_regex")
    audience_regex: str = option("", "regular expression for aud")
    issuer: str = option("", "required iss value; excludes issuer_regex")
    issuer_regex: str = option("", "regular expression for iss")
    user_id_claim: str = option("", "claim holding the user ID instead of sub; must match ^[a-zA-Z_]+$")
    insecure_skip_jwks_endpoint_safety_check: bool = option(
        False, "downgrade an unsafe JWKS URL template from error to warning (INSECURE)"
    )
    meta_from_claim: KeyValues = option({}, f"{_META}; for connection tokens alone")
    labels_from_claim: KeyValues = option({}, f"{_LABELS}; for connection tokens alone")


class SubscriptionToken(Token):
    """Separate verification of subscription tokens."""

    enabled: bool = option(
        False, "verify subscription tokens with this object; when false client.token is used for both kinds"
    )
