"""Eager execution of coroutines: run them synchronously until they have to wait.

Only then a task is created, or the awaited future calls the continuation. A task costs some 3 µs, an eager step 0.2.
Most commands are answered from memory and never wait, yet the same code serves remote engines, which do.

`run_eagerly` is the usual way, `start` the faster one for hot paths, `run_in_task` runs code that may need a current
task, `StartedCoroutine` runs many at once, and `DirectFuture` is what an engine call returns.
"""

from .callback_chain import CallbackChain, FutureCallback, after
from .eager_task import begin, run_in_task
from .future import DirectFuture
from .gather import StartedCoroutine
from .step import Work, run_eagerly, start

__all__ = [
    "CallbackChain",
    "DirectFuture",
    "FutureCallback",
    "StartedCoroutine",
    "Work",
    "after",
    "begin",
    "run_eagerly",
    "run_in_task",
    "start",
]
