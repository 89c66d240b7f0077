import pytest

from fanjet.config.plain_section import plain
from fanjet.config.tree.base import Section
from fanjet.config.tree.channel import ChannelNamespace
from fanjet.config.tree.client import Client


@pytest.mark.parametrize("section", [Client(), Client(insecure=True), ChannelNamespace(name="chat", history_size=3)])
def test_a_plain_section_has_the_values_of_its_model_in_all_depths(section):
    made = plain(section)
    assert not isinstance(made, type(section))
    _compare(made, section)


def _compare(made, section):
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            _compare(getattr(made, name), value)
        else:
            assert getattr(made, name) == value


def test_a_plain_section_cannot_be_changed():
    with pytest.raises(AttributeError):
        plain(Client()).insecure = True
