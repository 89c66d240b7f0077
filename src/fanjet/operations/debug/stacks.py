"""Stacks of threads and tasks."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from io import StringIO


def threads() -> str:
    """The stack of every thread, the innermost call last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sys._current_frames().items():
        stack = "".join(traceback.format_stack(frame))
        parts.append(f"thread {names.get(ident, 'unknown')} ({ident}):\n{stack}")
    return "\n".join(parts)


def tasks() -> str:
    """The stack of every task of the running loop."""
    output = StringIO()
    found = asyncio.all_tasks()
    output.write(f"{len(found)} tasks\n\n")
    for task in found:
        task.print_stack(file=output)
        output.write("\n")
    return output.getvalue()
