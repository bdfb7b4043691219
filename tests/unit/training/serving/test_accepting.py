"""Acceptors that share a socket share its clients. Both are on one loop, so who is asked when is no matter of luck."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from training.serving.accepting import Acceptor
from training.serving.sharing import bind


class _Clients(asyncio.Protocol):
    """Counts the clients of one acceptor."""

    def __init__(self, counts: list[int], number: int) -> None:
        self._counts = counts
        self._number = number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counts[self._number] += 1


async def _share(connections: int, crowded: bool | None = None) -> list[int]:
    """How many clients each of two acceptors gets, when they come one by one. `crowded` is as it is, unless it is given."""
    counts = [0, 0]

    def _crowded(number: int, taken: int) -> bool:
        return counts[number] + taken > min(counts) if crowded is None else crowded

    listener = bind("127.0.0.1", 0)
    address = listener.getsockname()
    acceptors = [
        Acceptor(each, partial(_Clients, counts, number), partial(_crowded, number))
        for number, each in enumerate((listener, listener.dup()))
    ]
    async with AsyncExitStack() as stack:
        for count in range(1, connections + 1):
            _, writer = await asyncio.open_connection(*address)
            stack.push_async_callback(writer.wait_closed)
            stack.callback(writer.close)
            async with asyncio.timeout(10):
                while sum(counts) < count:
                    await asyncio.sleep(0.001)
        for acceptor in acceptors:
            await acceptor.close()
    return counts


def test_clients_are_shared() -> None:
    assert asyncio.run(_share(8)) == [4, 4]


def test_clients_are_taken_though_everybody_is_crowded() -> None:
    assert sum(asyncio.run(_share(4, crowded=True))) == 4


def test_without_courtesy_they_are_not_shared() -> None:
    """Whoever is first takes them all: what crowding is for."""
    assert 8 in asyncio.run(_share(8, crowded=False))
