"""Publications are encoded once, and kept within bounds."""

import pytest

from fanjet.protocol.codec import PayloadNotJSON
from fanjet.protocol.publication import Publication
from fanjet.protocol.publication_cache import MAX_PUBLICATION_SIZE, MAX_PUBLICATIONS, PublicationCache


class Encoder:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, publication: Publication) -> bytes:
        self.calls += 1
        return publication.data


def test_an_object_is_encoded_once() -> None:
    encoder = Encoder()
    cache = PublicationCache(encoder)
    publication = Publication(b"1")
    assert [cache.encode(publication), cache.encode(publication)] == [b"1", b"1"]
    assert encoder.calls == 1


def test_equal_objects_are_not_confused_with_each_other_nor_with_those_that_are_gone() -> None:
    cache = PublicationCache(Encoder())
    for number in range(2 * MAX_PUBLICATIONS):
        data = b"%d" % number
        assert cache.encode(Publication(data)) == data


@pytest.mark.parametrize(
    ("size", "calls"), [(MAX_PUBLICATION_SIZE, 1), (MAX_PUBLICATION_SIZE + 1, 2)], ids=["longest", "too-long"]
)
def test_long_publications_are_not_kept(size: int, calls: int) -> None:
    encoder = Encoder()
    cache = PublicationCache(encoder)
    publication = Publication(b"x" * size)
    for _ in range(2):
        assert len(cache.encode(publication)) == size
    assert encoder.calls == calls


def test_all_are_forgotten_when_there_are_too_many() -> None:
    encoder = Encoder()
    cache = PublicationCache(encoder)
    publications = [Publication(b"%d" % number) for number in range(MAX_PUBLICATIONS + 1)]
    for publication in publications:
        cache.encode(publication)
    cache.encode(publications[-1])
    assert encoder.calls == MAX_PUBLICATIONS + 1
    cache.encode(publications[0])
    assert encoder.calls == MAX_PUBLICATIONS + 2


def test_what_cannot_be_encoded_is_refused_every_time() -> None:
    def refuse(_: Publication) -> bytes:
        raise PayloadNotJSON

    cache = PublicationCache(refuse)
    publication = Publication(b"1")
    for _ in range(2):
        with pytest.raises(PayloadNotJSON):
            cache.encode(publication)
