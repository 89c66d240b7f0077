"""Which of several providers is asked about a token (03 §14.4)."""

import pytest

from fanjet.auth.errors import TokenInvalid
from fanjet.auth.issuers import ProviderLookup, TrustedIssuer
from fanjet.config.tree.token import JwksProvider


class Named:
    def __init__(self, name):
        self.name = name

    def verify(self, token, named):
        raise AssertionError


def found_by(*providers):
    """Return who is asked, given rows of name, issuer and audience."""
    rows = [
        (JwksProvider(name=name, issuer=issuer, audience=audience), TrustedIssuer(Named(name), None))
        for name, issuer, audience in providers
    ]
    return lambda issuer, *audience: ProviderLookup(rows).find(issuer, audience).verifier.name


@pytest.mark.parametrize(
    ("issuer", "audience", "name"),
    [
        pytest.param("i", ("web",), "web", id="audience"),
        pytest.param("i", ("x", "app"), "app", id="one-of-several-audiences"),
        pytest.param("i", ("app", "web"), "web", id="the-first-in-the-list-of-providers"),
        pytest.param("i", ("x",), "any", id="fallback"),
        pytest.param("i", (), "any", id="no-audience"),
        pytest.param("j", ("x",), "other", id="another-issuer"),
    ],
)
def test_the_provider_that_fits_best_is_asked(issuer, audience, name):
    providers = (("any", "i", ""), ("web", "i", "web"), ("app", "i", "app"), ("other", "j", ""), ("late", "j", ""))
    assert found_by(*providers)(issuer, *audience) == name


@pytest.mark.parametrize(
    ("issuer", "audience"),
    [
        pytest.param("", (), id="no-issuer"),
        pytest.param("I", ("web",), id="case-counts"),
        pytest.param("i", ("other",), id="no-provider-for-the-audience"),
        pytest.param("i", (), id="no-audience"),
    ],
)
def test_nobody_is_asked_about_others(issuer, audience):
    with pytest.raises(TokenInvalid, match="no JWKS provider"):
        found_by(("web", "i", "web"), ("app", "i", "app"))(issuer, *audience)


def test_without_providers_nobody_is_asked():
    with pytest.raises(TokenInvalid):
        found_by()("i")
