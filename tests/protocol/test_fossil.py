"""Fossil deltas: format, vectors, bounds (01 §10.3, §10.4)."""

import random
from collections.abc import Iterator

import pytest
from centrifuge.fossil import apply_delta as sdk_apply_delta
from hypothesis import given
from hypothesis import strategies as st

from fanjet.protocol.fossil import DeltaError, apply_delta, consecutive_deltas, create_delta, shorter_delta

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"


@pytest.mark.parametrize(
    ("base", "target", "patch"),
    [
        pytest.param(
            b'{"symbol":"ACME","price":101.25,"volume":4200,"currency":"EUR","venue":"XETRA"}',
            b'{"symbol":"ACME","price":101.30,"volume":4207,"currency":"EUR","venue":"XETRA"}',
            b'1F\nT@0,G:30,"volume":4207Y@i,vH811;',
            id="quote",
        ),
        pytest.param(b'{"a":1}', b'{"a":2}', b'7\n7:{"a":2}2qLDtY;', id="short-base"),
        pytest.param(
            '{"station":"Gare du Nord","note":"ouvert jusquà 22:00"}'.encode(),
            '{"station":"Gare du Nord","note":"ouvert jusquè 22:00"}'.encode(),
            b't\nk@0,9:\xa8 22:00"}aMMWu;',
            id="cut-character",
        ),
        pytest.param(b"", b"", b"0\n0;", id="nothing"),
    ],
)
def test_vectors(base: bytes, target: bytes, patch: bytes) -> None:
    assert create_delta(base, target) == patch
    assert apply_delta(base, patch) == target


def test_checksums() -> None:
    def digits(number: int) -> str:
        return (digits(number >> 6) if number > 63 else "") + DIGITS[number & 63]

    for text, checksum in ((b"", 0), (b"a", 1627389952), (b"abcd", 1633837924), (b"abcde", 3328336740)):
        assert create_delta(b"", text).decode().endswith(digits(checksum) + ";")


def mutated(text: bytes, seed: int, changes: int) -> bytes:
    """Change bytes here and there, insert some, drop some."""
    rng = random.Random(seed)
    result = bytearray(text)
    for _ in range(changes):
        at = rng.randrange(len(result) + 1)
        result[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
    return bytes(result)


ITEMS = b",".join(b'{"id":%d,"name":"item","price":%d.25,"tags":["a","b"]}' % (n, n * 7) for n in range(400))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Payloads of all sizes that have something in common, or nothing."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8))
    many = st.lists(st.sampled_from(pieces), max_size=draw(st.sampled_from([6, 60, 200]))).map(b"".join)
    base, target = draw(many), draw(many)
    return base, mutated(draw(st.sampled_from([base, target])), draw(st.integers(0, 99)), draw(st.integers(0, 9)))


@given(pair=pairs())
def test_applying_undoes_creating(pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    assert apply_delta(base, create_delta(base, target)) == target


@given(pair=pairs())
def test_the_sdk_applies_it(pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    assert bytes(sdk_apply_delta(base, create_delta(base, target))) == target


def contract_delta(base: bytes, target: bytes) -> Iterator[tuple[int, int]]:
    """Yield literal runs (0, length) and copies (length, offset), by the encoder that §10.4 describes, step by step."""

    def digit_count(number: int) -> int:
        return 1 if number < 64 else 1 + digit_count(number >> 6)

    def bucket(data: bytes, at: int) -> int:
        a = sum(data[at : at + 16]) % 2**16
        b = sum((16 - i) * x for i, x in enumerate(data[at : at + 16])) % 2**16
        return (a + (b << 16)) % (len(base) // 16)

    start = 0
    if len(base) > 16:
        blocks: dict[int, list[int]] = {}
        for at in range(0, len(base) - 16, 16):
            blocks.setdefault(bucket(base, at), []).insert(0, at)
        while start + 16 < len(target):
            for at in range(start, len(target) - 15):
                best = (0, 0, 0)
                for source in blocks.get(bucket(target, at), []):
                    ahead = 0
                    while source + ahead < len(base) and at + ahead < len(target):
                        if base[source + ahead] != target[at + ahead]:
                            break
                        ahead += 1
                    back = 0
                    while back + 1 < source and back < at - start and base[source - back - 1] == target[at - back - 1]:
                        back += 1
                    length, offset, literal = ahead + back, source - back, at - back - start
                    cost = digit_count(literal) + digit_count(length) + digit_count(offset) + 3
                    if length >= cost and length > best[0]:
                        best = (length, offset, literal)
                if best[0]:
                    break
            else:
                break
            length, offset, literal = best
            if literal:
                yield 0, literal
            yield length, offset
            start += literal + length
    if start < len(target):
        yield 0, len(target) - start


def segments(patch: bytes) -> Iterator[tuple[int, int]]:
    """Yield the segments of a patch in the form of `contract_delta`."""

    def integer() -> int:
        nonlocal at
        value = 0
        while (digit := DIGITS.find(chr(patch[at]))) >= 0:
            value = value << 6 | digit
            at += 1
        return value

    at = 0
    integer()
    at += 1
    while True:
        count, mark = integer(), patch[at : at + 1]
        at += 1
        if mark == b":":
            yield 0, count
            at += count
        elif mark == b"@":
            yield count, integer()
            at += 1
        else:
            return


@given(pair=pairs().filter(lambda pair: max(map(len, pair)) <= 300))
def test_small_payloads_get_the_contracts_own_patch(pair: tuple[bytes, bytes]) -> None:
    base, target = pair
    assert list(segments(create_delta(base, target))) == list(contract_delta(base, target))


@pytest.mark.parametrize("seed", range(5))
def test_similar_json_gets_the_contracts_own_patch(seed: int) -> None:
    base = ITEMS[:700]
    target = mutated(base, seed, 4)
    assert list(segments(create_delta(base, target))) == list(contract_delta(base, target))


@pytest.mark.parametrize(
    ("base", "target", "at_most"),
    [
        pytest.param(ITEMS, mutated(ITEMS, 1, 10), 300, id="few-changes"),
        pytest.param(ITEMS, ITEMS[5000:] + ITEMS[:5000], 50, id="moved"),
        pytest.param(b"a" * 20_000, b"a" * 20_000, 30, id="repetitive"),
        pytest.param(ITEMS, ITEMS, 30, id="equal"),
        pytest.param(ITEMS, ITEMS[:9000].replace(b"1", b"2") + ITEMS[9000:], 1300, id="in-place"),
        pytest.param(ITEMS[:2000], random.Random(1).randbytes(3000) + ITEMS[:2000], 3200, id="behind-new-content"),
    ],
)
def test_large_payloads_with_much_in_common_get_short_patches(base: bytes, target: bytes, at_most: int) -> None:
    patch = create_delta(base, target)
    assert len(patch) <= at_most
    assert apply_delta(base, patch) == target


RNG = random.Random(3)
BLOCKS = [RNG.randbytes(16) for _ in range(1250)]


@pytest.mark.parametrize(
    ("base", "target"),
    [
        pytest.param(RNG.randbytes(200_000), RNG.randbytes(200_000), id="random"),
        pytest.param(b"".join(BLOCKS), b"".join(sorted(BLOCKS)), id="blocks-shuffled"),
        pytest.param(ITEMS * 40, mutated(ITEMS * 40, 2, 5000), id="huge-with-many-changes"),
        pytest.param(b"a" * 1000, b"ab" * 500, id="small-with-one-bucket"),
    ],
)
def test_beyond_the_bound_patches_are_valid_all_the_same(base: bytes, target: bytes) -> None:
    assert apply_delta(base, create_delta(base, target)) == target


def test_only_shorter_patches_are_worth_sending() -> None:
    base = b'{"text":"hello, this is long enough","n":1}'
    assert shorter_delta(base, base) == create_delta(base, base)
    assert shorter_delta(b'{"a":1}', b'{"a":2}') is None
    assert shorter_delta(base, b"") is None


def test_consecutive_deltas_lead_from_one_to_the_next() -> None:
    payloads = [mutated(ITEMS[:500], 0, n) for n in range(6)] + [b"short", ITEMS[:500]]
    patches = list(consecutive_deltas(payloads))
    assert patches[0] is None
    assert patches[-2:] == [None, None]
    for base, target, patch in zip(payloads, payloads[1:-2], patches[1:], strict=False):
        assert patch is not None
        assert apply_delta(base, patch) == target


def test_a_long_list_of_large_payloads_ends_in_full_ones() -> None:
    payloads = [RNG.randbytes(10_000) + bytes((n,)) * 10_000 for n in range(100)]
    patches = list(consecutive_deltas(payloads))
    assert len(patches) == 100
    assert patches[-1] is None


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"4", id="no-newline"),
        pytest.param(b"4\n", id="no-checksum"),
        pytest.param(b"4\n4:abc", id="literal-truncated"),
        pytest.param(b"4\n4@0", id="copy-truncated"),
        pytest.param(b"4\n4@0,0;", id="wrong-checksum"),
        pytest.param(b"5\n4:abcd1XObD_;", id="wrong-size"),
        pytest.param(b"4\n4:abcd1XObD_;x", id="text-behind"),
        pytest.param(b"9\n9@0,0;", id="copy-beyond-the-base"),
        pytest.param(b"4\n4!0,0;", id="unknown-segment"),
    ],
)
def test_patches_that_do_not_fit_are_refused(patch: bytes) -> None:
    with pytest.raises(DeltaError):
        apply_delta(b"abcdefgh", patch)


@given(base=st.binary(), patch=st.binary())
def test_random_patches_raise_nothing_else(base: bytes, patch: bytes) -> None:
    with pytest.raises(DeltaError):
        apply_delta(base, b"x" + patch)
