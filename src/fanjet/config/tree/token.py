"""Verification of connection and subscription tokens (04 §5.12)."""

from fanjet.config.tree.base import Section, option


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
    audience: str = option("", "required aud value; excludes audience_regex")
    audience_regex: str = option("", "regular expression for aud")
    issuer: str = option("", "required iss value; excludes issuer_regex")
    issuer_regex: str = option("", "regular expression for iss")
    user_id_claim: str = option("", "claim holding the user ID instead of sub; must match ^[a-zA-Z_]+$")
    insecure_skip_jwks_endpoint_safety_check: bool = option(
        False, "downgrade an unsafe JWKS URL template from error to warning (INSECURE)"
    )


class SubscriptionToken(Token):
    """Separate verification of subscription tokens."""

    enabled: bool = option(
        False, "verify subscription tokens with this object; when false client.token is used for both kinds"
    )
