import os
import socket

import pytest

from fanjet.net.binding import BindError, bind_tcp
from fanjet.net.systemd import PassedSocket, PassedSockets, ServiceManager, passed_sockets


@pytest.fixture
def make(tmp_path):
    """A function that makes a listening socket under a name."""
    opened = []

    def listening(name, host="127.0.0.1"):
        if host.startswith("/"):
            host = str(tmp_path / host[1:])
            made = socket.socket(socket.AF_UNIX)
            made.bind(host)
        else:
            (made,) = bind_tcp(host, 0)
        made.listen()
        opened.append(made)
        return PassedSocket(name, made)

    yield listening
    for each in opened:
        each.close()


def port_of(passed):
    return passed.socket.getsockname()[1]


def test_a_name_chooses(make):
    first, second, third = make("external"), make("internal"), make("external")
    passed = PassedSockets([first, second, third])
    assert passed.take("external", "127.0.0.1", port_of(second)) == [first.socket, third.socket]
    assert passed.take("internal", "", 1) == [second.socket]
    passed.reject_unused()


@pytest.mark.parametrize(
    ("bound", "configured", "same"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "no.such.host.invalid", False),
        ("0.0.0.0", "", True),
        ("", "0.0.0.0", True),
        ("", "127.0.0.1", False),
    ],
)
def test_without_a_name_the_address_does(make, bound, configured, same):
    one = make("web.socket", bound)
    passed = PassedSockets([one])
    assert passed.take("external", configured, port_of(one) + 1) == []
    assert passed.take("external", configured, port_of(one)) == ([one.socket] if same else [])


def test_unix_sockets_by_name_or_path(make):
    named, by_path, neither = make("external", "/a"), make("x", "/b"), make("y", "/c")
    passed = PassedSockets([named, by_path, neither])
    assert passed.take("external", "", 80) == []
    assert passed.take_unix("external", by_path.socket.getsockname()) == [named.socket, by_path.socket]
    with pytest.raises(BindError, match=r'the socket "y" passed by systemd, on unix:.*/c, belongs to no listener'):
        passed.reject_unused()


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, id="for-another-process"),
        pytest.param({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}, id="no-number"),
        pytest.param({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}, id="none"),
    ],
)
def test_no_sockets(environment):
    passed_sockets(environment).reject_unused()
    assert environment == {}


@pytest.mark.parametrize("name", ["path", "abstract"])
def test_the_manager_hears_of_the_service(tmp_path, name):
    address = str(tmp_path / "notify") if name == "path" else f"\0fanjet-test-{os.getpid()}"
    environment = {"NOTIFY_SOCKET": address.replace("\0", "@")}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(address)
        hearing.setblocking(False)
        manager = ServiceManager(environment)
        manager.notify_ready()
        manager.notify_reloading()
        manager.notify_stopping()
        heard = [hearing.recv(100).decode() for _ in range(3)]
    assert environment == {}
    assert heard[0] == "READY=1"
    assert heard[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[2] == "STOPPING=1"


def test_without_a_manager_nothing_happens():
    ServiceManager({}).notify_ready()


def test_a_manager_that_is_gone_is_a_warning(tmp_path, caplog):
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify_ready()
    assert caplog.messages == ["service manager cannot be told READY=1: No such file or directory"]
