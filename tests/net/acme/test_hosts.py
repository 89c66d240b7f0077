import pytest

from fanjet.net.acme.hosts import HostPolicy, HostRefused


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("chat.example.org", "chat.example.org"),
        ("CHAT.Example.org.", "chat.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("under_score.example", "under_score.example"),
    ],
)
def test_hosts_in_the_form_of_certificates(name, host):
    assert HostPolicy([]).normalize(name) == host
    assert HostPolicy([name]).normalize(host) == host


@pytest.mark.parametrize(
    "name", ["", "localhost", ".", "a..b", "-a.b", "a b.c", "a/b.c", "x" * 64 + ".org", "a." * 130 + "b", "\ufffd.org"]
)
def test_what_is_no_host_is_refused(name):
    with pytest.raises(HostRefused):
        HostPolicy([]).normalize(name)


def test_a_list_is_exact():
    hosts = HostPolicy(["a.example", "not a host"])
    assert hosts.normalize("a.example") == "a.example"
    for other in ("b.a.example", "xa.example", "not a host"):
        with pytest.raises(HostRefused):
            hosts.normalize(other)


def test_a_list_without_any_host_allows_none():
    with pytest.raises(HostRefused):
        HostPolicy(["localhost"]).normalize("a.example")
