"""What a server accepts: the sizes of a request, the requests of a client, and the work that waits."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from textapp.errors import InputError

_CLIENTS = 10_000  # that are remembered: a flood from many addresses must not fill the memory


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Attributes:
        body: The most bytes of a request's body.
        texts: The most texts of a request.
        rate: The most requests a second of one client, on average; None for any number.
        queue: The most requests that wait for a thread.
        seconds: The time that a client has to send a body.
    """

    body: int = 1 << 20
    texts: int = 256
    rate: float | None = None
    queue: int = 100
    seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("body", "texts"):
            if getattr(self, name) < 1:
                raise InputError(f"--max-{name} {getattr(self, name)}: must be a positive whole number")
        if self.rate is not None and not 0 < self.rate < math.inf:  # NaN too
            raise InputError(f"--rate {self.rate:g}: must be a positive number of requests a second")
        if self.queue < 0:
            raise InputError(f"--queue {self.queue}: must be 0 or more")


class RateLimit:
    """Counts the requests of each client by a token bucket.

    A bucket holds the requests of one second, and at least one. So a client may send these at once, and then `rate` a
    second.

    Args:
        rate: Requests a second.
        clock: Gives the time in seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic):
        self._rate, self._size, self._clock = rate, max(1.0, rate), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, at which time

    def wait(self, client: str) -> float:
        """Counts a request of a client. Returns 0 if it is within the limit, else the seconds until one would be."""
        now = self._clock()
        left, since = self._buckets.pop(client, (self._size, now))
        left = min(self._size, left + self._rate * (now - since))
        is_within = left >= 1
        self._buckets[client] = (left - is_within, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)  # whoever was quiet for the longest time
        return 0.0 if is_within else (1 - left) / self._rate
