"""Run a coroutine synchronously until it has to wait; only then make a task, or have it called on by what it waits for.

A task costs some 3 µs, stepping a coroutine by hand 0.2. Most commands are answered from memory and never wait, yet the
same code has to serve remote engines, which do.

`run_eagerly` is the usual way, `start` for those who have a microsecond to save, `in_task` for code that is not ours,
`Begun` for many at once, `Promise` for an engine to answer with.
"""

from .callback_chain import Following, Taskless, after
from .eager_task import begin, in_task
from .future import Promise
from .gather import Begun
from .step import Work, run_eagerly, start

__all__ = ["Begun", "Following", "Promise", "Taskless", "Work", "after", "begin", "in_task", "run_eagerly", "start"]
