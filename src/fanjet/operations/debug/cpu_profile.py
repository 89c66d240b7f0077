"""A sampling CPU profiler: a thread reads all stacks 100 times a second."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from types import FrameType

INTERVAL: Final = 0.01
MAX_SECONDS: Final = 300.0

Frame = tuple[str, str, int]
"""A function, its file and its first line."""
Stack = tuple[Frame, ...]


class Profile:
    """The number of samples of each stack, outermost call first."""

    def __init__(self) -> None:
        self.stacks: Counter[Stack] = Counter()

    def collapsed(self) -> bytes:
        """The profile in the collapsed format.

        It has a line for each stack with its calls, separated by semicolons, and its samples.
        """
        lines = [
            f"{';'.join(f'{name} ({file}:{line})' for name, file, line in stack)} {count}\n"
            for stack, count in self.stacks.items()
        ]
        return "".join(lines).encode("utf-8", "replace")

    def speedscope(self) -> bytes:
        """The JSON format of speedscope.app."""
        frames: dict[Frame, int] = {}
        samples = [[frames.setdefault(frame, len(frames)) for frame in stack] for stack in self.stacks]
        weights = [count * INTERVAL for count in self.stacks.values()]
        profile = {
            "type": "sampled",
            "name": "fanjet",
            "unit": "seconds",
            "startValue": 0,
            "endValue": sum(weights),
            "samples": samples,
            "weights": weights,
        }
        document = {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "shared": {"frames": [{"name": name, "file": file, "line": line} for name, file, line in frames]},
            "profiles": [profile],
        }
        return msgspec.json.encode(document)


class Profiler:
    """Takes one profile at a time."""

    def __init__(self) -> None:
        self._profile = Profile()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether a profile is being taken."""
        return self._thread is not None

    def start(self) -> None:
        """Begin a new profile."""
        self._profile = Profile()
        self._stop.clear()
        self._thread = threading.Thread(target=self._sample, name="profiler", daemon=True)
        self._thread.start()

    def stop(self) -> Profile:
        """End the profile and return it."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join()
        return self._profile

    def _sample(self) -> None:
        own = threading.get_ident()
        stacks = self._profile.stacks
        while not self._stop.wait(INTERVAL):
            for ident, frame in sys._current_frames().items():
                if ident != own:
                    stacks[_stack(frame)] += 1


def _stack(frame: FrameType | None) -> Stack:
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append((code.co_qualname, code.co_filename, code.co_firstlineno))
        frame = frame.f_back
    return tuple(reversed(stack))
