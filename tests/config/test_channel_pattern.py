"""The syntax of channel patterns (03 §14.2)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.config.channel_pattern import PatternError, parse_pattern


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("room", 'must start with "/"', id="no-slash"),
        pytest.param("", 'must start with "/"', id="empty"),
        pytest.param("/a//b", 'must not contain "//"', id="empty-segment"),
        pytest.param("/a/*", 'must not contain "*"', id="wildcard"),
        pytest.param("/é", "must consist of ASCII characters", id="not-ascii"),
        pytest.param("/:a/:a", "has two variables of the same name", id="repeated-variable"),
        pytest.param("/a/:", "has a variable without a name", id="no-name"),
    ],
)
def test_what_is_no_pattern(text, reason):
    with pytest.raises(PatternError, match=re.escape(reason)):
        parse_pattern(text)


def test_variables_extend_to_the_next_slash():
    pattern = parse_pattern("/:tenant/users/user_:user")
    assert pattern.variables == ("tenant", "user")
    assert pattern.depth == 3


def test_names_of_variables_make_no_difference():
    assert parse_pattern("/a/:x/b").order == parse_pattern("/a/:y/b").order
    assert parse_pattern("/a/:x/b").order != parse_pattern("/a/:x/c").order


SEGMENT = st.from_regex(r"[a-z.+(]{1,4}", fullmatch=True)
VALUE = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=5)


@given(st.lists(st.tuples(SEGMENT, st.booleans(), VALUE), min_size=1, max_size=5))
def test_a_channel_made_from_a_pattern_matches_it(segments):
    names = [f"v{number}" for number in range(len(segments))]
    pattern = "".join(
        f"/{text}:{name}" if variable else f"/{text}" for name, (text, variable, _) in zip(names, segments, strict=True)
    )
    channel = "".join(f"/{text}{value}" if variable else f"/{text}" for text, variable, value in segments)
    parsed = parse_pattern(pattern)
    found = re.fullmatch(parsed.expression, channel)
    assert found is not None
    assert list(found.groups()) == [value for _, variable, value in segments if variable]
    assert channel.count("/") == parsed.depth
