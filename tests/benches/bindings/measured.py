"""Runs the command in each line of its input, and prints its duration in microseconds."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable

from tagwarden import AsyncPromoter, MemoryLedger, OciRegistry, Promoter, Provenance, open_ledger

host, logs = sys.argv[1:]
repository, registry = f"{host}/python", OciRegistry()
channel, on_disk = f"{repository}:prod", [f"{host}/logs:at-{number}" for number in range(100)]
who = Provenance.of(provider="manual", run_id="bench", actor="bench")
moves = Promoter(registry, MemoryLedger())
reads, at_once = Promoter(registry, open_ledger(logs)), AsyncPromoter(registry, open_ledger(logs))
moves.bootstrap(channel, f"{repository}:1", provenance=who)
live = 1


def promote() -> None:
    global live
    live = 3 - live
    moves.promote(channel, f"{repository}:{live}", provenance=who)


async def gather() -> None:
    await asyncio.gather(*(at_once.current(channel) for channel in on_disk))


def repeated(call: Callable[[str], object]) -> None:
    for _ in range(100):
        call(channel)


def in_turn() -> None:
    for channel in on_disk:
        reads.current(channel)


def counts() -> float:
    """Counts down from 10 million. Returns the duration in seconds."""
    begun, left = time.perf_counter(), 10_000_000
    while left:
        left -= 1
    return time.perf_counter() - begun


def counts_beside() -> float:
    took: list[float] = []
    counting = threading.Thread(target=lambda: took.append(counts()))
    counting.start()
    while counting.is_alive():
        promote()
    return took[0]


loop = asyncio.new_event_loop()
acts = {
    "promote": promote,
    "previous": lambda: repeated(moves.previous),
    "current": lambda: repeated(moves.current),
    "currents": lambda: loop.run_until_complete(gather()),
    "in_turn": in_turn,
    "counts": counts,
    "counts_beside": counts_beside,
}
for line in sys.stdin:
    begun = time.perf_counter()
    took = acts[line.strip()]()
    print((took if isinstance(took, float) else time.perf_counter() - begun) * 1e6, flush=True)
