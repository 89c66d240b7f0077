import os
import socket
import stat

import pytest

from fanjet.net.binding import BindError, SocketFile, bind_unix


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "s")


def test_the_file_has_the_given_permissions(path):
    before = os.umask(0)
    os.umask(before)
    with bind_unix(path, 0o640):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert os.umask(before) == before


def test_a_stale_socket_file_is_replaced(path):
    bind_unix(path, 0o600).close()
    with bind_unix(path, 0o600) as bound, socket.socket(socket.AF_UNIX) as client:
        bound.listen()
        client.connect(path)


def test_a_socket_in_use_is_left_alone(path):
    with bind_unix(path, 0o600) as first:
        first.listen(0)
        for _ in range(3):  # its backlog is full after the first attempt
            with pytest.raises(BindError, match=f"listen unix {path}: bind: Address already in use"):
                bind_unix(path, 0o600)
        assert os.path.exists(path)


def test_another_file_is_left_alone(path, tmp_path):
    (tmp_path / "s").write_text("precious")
    with pytest.raises(BindError, match="already in use"):
        bind_unix(path, 0o600)
    assert (tmp_path / "s").read_text() == "precious"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/no/such/folder/s", "No such file or directory"), ("/tmp/" + "x" * 200, "AF_UNIX path too long")],
)
def test_an_unusable_path_is_refused_by_name(path, reason):
    with pytest.raises(BindError, match=f"listen unix {path}: bind: {reason}"):
        bind_unix(path, 0o600)


def test_only_our_own_file_is_removed(path):
    with bind_unix(path, 0o600):
        ours = SocketFile(path)
    os.rename(path, path + ".old")  # keeps its inode in use
    with bind_unix(path, 0o600):
        theirs = SocketFile(path)
    ours.remove()
    assert os.path.exists(path)
    theirs.remove()
    assert not os.path.exists(path)
    theirs.remove()
