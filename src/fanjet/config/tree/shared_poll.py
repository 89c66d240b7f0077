"""Shared poll as a whole (04 §5.9)."""

from fanjet.config.tree.base import Section, option


class SharedPoll(Section):
    """Keys and limits common to all shared poll channels."""

    hmac_secret_key: str = option(
        "", "key of track signatures; mandatory when any namespace has subscription_type shared_poll"
    )
    hmac_previous_secret_key: str = option("", "second key accepted during rotation")
    hmac_previous_secret_key_valid_until: int = option(
        0, "Unix seconds; signatures issued (iat) later are refused with the previous key; 0 = no limit"
    )
    concurrency_limit: int = option(0, "maximum concurrent backend refresh calls; 0 → 64")
