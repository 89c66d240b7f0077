"""What an SDK reported, to be waited for and looked up."""

import asyncio
from typing import Any

Event = dict[str, Any]

PATIENCE = 10.0


class Journal:
    """Events in the order in which they came. An expected event is taken out; the others stay to be expected later."""

    def __init__(self) -> None:
        self.everything: list[Event] = []
        self._pending: list[Event] = []
        self._changed = asyncio.Event()

    def add(self, event: Event) -> None:
        """Record an event; `event["type"]` says what it is."""
        self.everything.append(event)
        self._pending.append(event)
        self._changed.set()

    async def expect(self, kind: str, /, patience: float = PATIENCE, **fields: Any) -> Event:
        """Take out the first event of this kind whose fields have these values, waiting for it if need be."""
        try:
            async with asyncio.timeout(patience):
                while (found := self._take(kind, fields)) is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            lines = "\n".join(map(str, self.everything))
            raise AssertionError(f"no {kind} {fields} within {patience} s; the SDK reported:\n{lines}") from None
        return found

    def pending(self, kind: str, /, **fields: Any) -> list[Event]:
        """List events that came and that nobody took."""
        return [event for event in self._pending if matches(event, kind, fields)]

    def _take(self, kind: str, fields: dict[str, Any]) -> Event | None:
        for index, event in enumerate(self._pending):
            if matches(event, kind, fields):
                return self._pending.pop(index)
        return None


def matches(event: Event, kind: str, fields: dict[str, Any]) -> bool:
    """Tell whether an event is of this kind and has these values."""
    return event["type"] == kind and all(event.get(name) == value for name, value in fields.items())
