"""Many things at once, few of them queued."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def act_on(pool: ThreadPoolExecutor, items: Iterable[Item], act: Callable[[Item], Result], at_once: int) -> Iterator[tuple[Item, Result]]:
    """(item, what came of it), as they are done; an error is raised here. At most `at_once` are queued or at work, so it ends soon."""
    waiting: dict[Future[Result], Item] = {}
    rest = iter(items)
    while True:
        for item in islice(rest, at_once - len(waiting)):
            waiting[pool.submit(act, item)] = item
        if not waiting:
            return
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            yield waiting.pop(future), future.result()
