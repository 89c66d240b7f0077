"""Unknown keys in the file (04 §3)."""

from collections.abc import Iterator

from fanjet.config.schema import Group, Key

IGNORED = {"license"}
"""Top-level keys that are accepted and ignored."""


def unknown_keys(group: Group, tree: object) -> list[str]:
    """Return the topmost unknown keys with their paths, sorted.

    Positions in lists are written `[i]`.
    """
    return sorted(key for key in _unknown(group, tree, ()) if key not in IGNORED)


def _unknown(group: Group, tree: object, at: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(tree, dict):
        return
    for name, value in tree.items():
        member = group.members.get(name)
        if member is None:
            yield ".".join((*at, name))
        elif isinstance(member, Group):
            yield from _unknown(member, value, (*at, name))
        else:
            yield from _unknown_in_items(member, value, (*at, name))


def _unknown_in_items(key: Key, value: object, at: tuple[str, ...]) -> Iterator[str]:
    if key.item is None or not isinstance(value, list):
        return
    for index, item in enumerate(value):
        yield from _unknown(key.item, item, (*at, f"[{index}]"))
