"""Tags filters: validation, evaluation, identity (01 §11)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.protocol.messages import FilterNode
from fanjet.protocol.publication import Publication
from fanjet.protocol.tags_filter import InvalidFilter, TagsFilter, parse_decimal

LEAF = FilterNode(key="a", cmp="eq", val="1")
OTHER = FilterNode(key="b", cmp="eq", val="2")


def nested(depth: int) -> FilterNode:
    node = LEAF
    for _ in range(depth - 1):
        node = FilterNode("not", nodes=[node])
    return node


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(FilterNode(), id="empty"),
        pytest.param(FilterNode(key="a", val="1"), id="no-cmp"),
        pytest.param(FilterNode(key="a", cmp="like", val="1"), id="unknown-cmp"),
        *[
            pytest.param(FilterNode(key=key, cmp=cmp, val=val, vals=vals), id=f"{cmp}-{why}")
            for cmp in ("eq", "neq", "sw", "ew", "ct", "gt", "gte", "lt", "lte")
            for key, val, vals, why in (
                ("a", "", [], "without-val"),
                ("a", "1", ["1"], "with-vals"),
                ("", "1", [], "without-key"),
            )
        ],
        *[
            pytest.param(FilterNode(key=key, cmp=cmp, val=val, vals=vals), id=f"{cmp}-{why}")
            for cmp in ("in", "nin")
            for key, val, vals, why in (
                ("a", "", [], "without-vals"),
                ("a", "1", ["1"], "with-val"),
                ("", "", ["1"], "without-key"),
            )
        ],
        *[
            pytest.param(FilterNode(key="a", cmp=cmp, val=val, vals=vals), id=f"{cmp}-{why}")
            for cmp in ("ex", "nex")
            for val, vals, why in (("1", [], "with-val"), ("", ["1"], "with-vals"))
        ],
        pytest.param(FilterNode("and"), id="and-without-nodes"),
        pytest.param(FilterNode("or"), id="or-without-nodes"),
        pytest.param(FilterNode("not"), id="not-without-nodes"),
        pytest.param(FilterNode("not", nodes=[LEAF, LEAF]), id="not-with-two-nodes"),
        pytest.param(FilterNode("xor", nodes=[LEAF]), id="unknown-op"),
        pytest.param(FilterNode("AND", nodes=[LEAF]), id="op-in-capitals"),
        pytest.param(FilterNode("and", nodes=[None]), id="null-node"),
        pytest.param(FilterNode("and", nodes=[LEAF, FilterNode("or", nodes=[OTHER, None])]), id="nested-null"),
        pytest.param(FilterNode("and", nodes=[LEAF, FilterNode("or")]), id="nested-invalid"),
        pytest.param(nested(65), id="too-deep"),
        pytest.param(nested(400), id="far-too-deep"),
    ],
)
def test_invalid_filters_are_refused(node: FilterNode) -> None:
    with pytest.raises(InvalidFilter):
        TagsFilter(node)


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(FilterNode(cmp="ex"), id="ex-without-key"),
        pytest.param(FilterNode(cmp="nex"), id="nex-without-key"),
        pytest.param(FilterNode(key="a", cmp="gt", val="no number"), id="val-that-is-no-number"),
        pytest.param(FilterNode(key="a", cmp="eq", val="1", nodes=[None]), id="nodes-of-a-leaf"),
        pytest.param(FilterNode("and", key="a", cmp="what", val="1", vals=["x"], nodes=[LEAF]), id="fields-of-and"),
        pytest.param(FilterNode(key="a", cmp="in", vals=[""]), id="empty-string-in-vals"),
        pytest.param(FilterNode("or", nodes=[LEAF] * 1000), id="many-nodes"),
        pytest.param(nested(64), id="deepest"),
    ],
)
def test_valid_filters_are_accepted(node: FilterNode) -> None:
    TagsFilter(node)


def leaf(cmp: str, val: str = "", *vals: str, key: str = "a") -> FilterNode:
    return FilterNode(key=key, cmp=cmp, val=val, vals=list(vals))


@pytest.mark.parametrize(
    ("node", "tags", "expected"),
    [
        pytest.param(leaf("eq", "1"), {"a": "1"}, True, id="eq"),
        pytest.param(leaf("eq", "1"), {"a": "1.0"}, False, id="eq-is-byte-exact"),
        pytest.param(leaf("eq", "1"), {}, False, id="eq-missing"),
        pytest.param(leaf("neq", "1"), {"a": "1"}, False, id="neq-same"),
        pytest.param(leaf("neq", "1"), {"a": "2"}, True, id="neq"),
        pytest.param(leaf("neq", "1"), {}, True, id="neq-missing"),
        pytest.param(leaf("in", "", "1", "2"), {"a": "2"}, True, id="in"),
        pytest.param(leaf("in", "", "1", "2"), {"a": "3"}, False, id="in-other"),
        pytest.param(leaf("in", "", "1"), {}, False, id="in-missing"),
        pytest.param(leaf("in", "", ""), {}, True, id="in-missing-counts-as-empty"),
        pytest.param(leaf("nin", "", "1", "2"), {"a": "2"}, False, id="nin"),
        pytest.param(leaf("nin", "", "1", "2"), {"a": "3"}, True, id="nin-other"),
        pytest.param(leaf("nin", "", "1"), {}, True, id="nin-missing"),
        pytest.param(leaf("nin", "", ""), {}, False, id="nin-missing-counts-as-empty"),
        pytest.param(leaf("ex"), {"a": ""}, True, id="ex"),
        pytest.param(leaf("ex"), {}, False, id="ex-missing"),
        pytest.param(leaf("ex", key=""), {"": "x"}, True, id="ex-of-the-empty-key"),
        pytest.param(leaf("nex"), {"a": ""}, False, id="nex"),
        pytest.param(leaf("nex"), {}, True, id="nex-missing"),
        pytest.param(leaf("sw", "ab"), {"a": "abc"}, True, id="sw"),
        pytest.param(leaf("sw", "ab"), {"a": "cab"}, False, id="sw-not"),
        pytest.param(leaf("sw", "ab"), {}, False, id="sw-missing"),
        pytest.param(leaf("ew", "bc"), {"a": "abc"}, True, id="ew"),
        pytest.param(leaf("ew", "bc"), {"a": "bca"}, False, id="ew-not"),
        pytest.param(leaf("ew", "bc"), {}, False, id="ew-missing"),
        pytest.param(leaf("ct", "b"), {"a": "abc"}, True, id="ct"),
        pytest.param(leaf("ct", "B"), {"a": "abc"}, False, id="ct-not"),
        pytest.param(leaf("ct", "b"), {}, False, id="ct-missing"),
        pytest.param(FilterNode("and", nodes=[LEAF, OTHER]), {"a": "1", "b": "2"}, True, id="and"),
        pytest.param(FilterNode("and", nodes=[LEAF, OTHER]), {"a": "1"}, False, id="and-half"),
        pytest.param(FilterNode("or", nodes=[LEAF, OTHER]), {"b": "2"}, True, id="or"),
        pytest.param(FilterNode("or", nodes=[LEAF, OTHER]), {"b": "3"}, False, id="or-none"),
        pytest.param(FilterNode("not", nodes=[LEAF]), {"a": "1"}, False, id="not"),
        pytest.param(FilterNode("not", nodes=[LEAF]), {}, True, id="not-missing"),
        pytest.param(nested(64), {"a": "1"}, False, id="deepest"),
        pytest.param(leaf("gte", "10"), {"a": "9.99"}, False, id="gte-less"),
        pytest.param(leaf("gte", "10"), {"a": "10"}, True, id="gte-same"),
        pytest.param(leaf("gte", "10"), {"a": "10.0"}, True, id="gte-same-with-fraction"),
        pytest.param(leaf("gte", "10"), {"a": "+11"}, True, id="gte-signed"),
        pytest.param(leaf("gte", "10"), {"a": "1e2"}, False, id="gte-exponent"),
        pytest.param(leaf("gte", "10"), {"a": " 11"}, False, id="gte-space"),
        pytest.param(leaf("gte", "10"), {}, False, id="gte-missing"),
        pytest.param(leaf("gt", "10"), {"a": "10"}, False, id="gt-same"),
        pytest.param(leaf("gt", "10"), {"a": "10.0000000000000000001"}, True, id="gt-by-the-last-digit"),
        pytest.param(leaf("lt", "-1"), {"a": "-1.5"}, True, id="lt-negative"),
        pytest.param(leaf("lt", "-1"), {"a": "-0.5"}, False, id="lt-negative-not"),
        pytest.param(leaf("lt", "0"), {"a": "-0"}, False, id="lt-minus-zero"),
        pytest.param(leaf("lt", "0"), {"a": "-0.1"}, True, id="lt-minus-zero-point-one"),
        pytest.param(leaf("lte", "1"), {"a": "1.00"}, True, id="lte-same"),
        pytest.param(leaf("lte", "1"), {"a": "2"}, False, id="lte-more"),
        pytest.param(leaf("lte", "x"), {"a": "1"}, False, id="val-no-number"),
        pytest.param(leaf("gt", "9007199254740992"), {"a": "9007199254740993"}, True, id="beyond-floats"),
    ],
)
def test_matches(node: FilterNode, tags: dict[str, str], expected: bool) -> None:
    assert TagsFilter(node).matches(tags) is expected


def test_no_tags_are_an_empty_map() -> None:
    assert TagsFilter(leaf("nex")).matches(None)
    assert not TagsFilter(leaf("eq", "1")).matches(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0", 0, id="zero"),
        pytest.param("007", 7 * 10**19, id="leading-zeros"),
        pytest.param("-1.5", -15 * 10**18, id="negative"),
        pytest.param("+1.0000000000000000001", 10**19 + 1, id="19-fraction-digits"),
        pytest.param("1.00000000000000000000", None, id="20-fraction-digits"),
        pytest.param("1" * 200, int("1" * 200) * 10**19, id="200-characters"),
        pytest.param("1" * 201, None, id="201-characters"),
        pytest.param("", None, id="empty"),
        pytest.param("+", None, id="sign-alone"),
        pytest.param("+-1", None, id="two-signs"),
        pytest.param(".5", None, id="leading-dot"),
        pytest.param("5.", None, id="trailing-dot"),
        pytest.param("1.2.3", None, id="two-dots"),
        pytest.param("1e2", None, id="exponent"),
        pytest.param(" 1", None, id="leading-space"),
        pytest.param("1\n", None, id="trailing-newline"),
        pytest.param("1_000", None, id="underscore"),
        pytest.param("0x1", None, id="hexadecimal"),
        pytest.param("٣", None, id="other-digits"),
        pytest.param("NaN", None, id="nan"),
    ],
)
def test_decimal_numbers(text: str, expected: int | None) -> None:
    assert parse_decimal(text) == expected


@given(st.decimals(-(10**20), 10**20, places=5), st.decimals(-(10**20), 10**20, places=5))
def test_comparison_is_exact(one: object, other: object) -> None:
    first, second = parse_decimal(f"{one:f}"), parse_decimal(f"{other:f}")
    assert first is not None
    assert second is not None
    assert (first < second) is (one < other)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(leaf("eq", "1"), leaf("eq", "1"), True, id="equal"),
        pytest.param(leaf("eq", "1"), leaf("neq", "1"), False, id="other-cmp"),
        pytest.param(leaf("eq", "1"), leaf("eq", "2"), False, id="other-val"),
        pytest.param(leaf("in", "", "1"), leaf("in", "", "1", "2"), False, id="other-vals"),
        pytest.param(leaf("eq", "1"), leaf("eq", "1", key="b"), False, id="other-key"),
        pytest.param(
            FilterNode("and", nodes=[LEAF, OTHER]), FilterNode("or", nodes=[LEAF, OTHER]), False, id="other-op"
        ),
        pytest.param(
            FilterNode("and", nodes=[LEAF]), FilterNode("and", key="x", nodes=[LEAF]), True, id="field-without-a-say"
        ),
        pytest.param(LEAF, FilterNode(key="a", cmp="eq", val="1", nodes=[OTHER]), True, id="nodes-of-a-leaf"),
    ],
)
def test_equal_filters_can_be_shared(one: FilterNode, other: FilterNode, same: bool) -> None:
    assert (TagsFilter(one) == TagsFilter(other)) is same
    assert (len({TagsFilter(one), TagsFilter(other)}) == 1) is same


# ------------------------------------------------------------------------------------------------------ intersection


@pytest.mark.parametrize(
    ("tags", "passes"),
    [({"a": "1", "b": "2"}, True), ({"a": "1"}, False), ({"b": "2"}, False), (None, False)],
)
def test_of_an_intersection_both_must_pass(tags, passes):
    assert TagsFilter(LEAF).intersection(TagsFilter(OTHER)).matches(tags) is passes


def test_an_intersection_is_what_it_consists_of():
    both = TagsFilter(LEAF).intersection(TagsFilter(OTHER))
    assert both.intersected_with == TagsFilter(OTHER)
    assert both == TagsFilter(LEAF).intersection(TagsFilter(OTHER))
    assert hash(both) == hash(TagsFilter(LEAF).intersection(TagsFilter(OTHER)))
    assert both not in (TagsFilter(LEAF), TagsFilter(OTHER), TagsFilter(OTHER).intersection(TagsFilter(LEAF)))
    assert TagsFilter(LEAF).intersection(None) == TagsFilter(LEAF)
    assert TagsFilter(LEAF).intersected_with is None


def test_publications_that_pass_are_picked_out():
    publications = [Publication(b"x", tags={"a": value}) for value in "121"]
    assert TagsFilter(LEAF).matching(publications) == [publications[0], publications[2]]
