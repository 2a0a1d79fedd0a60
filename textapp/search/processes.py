"""The processes of one search, on one machine or on several that see the same folder.

Each process holds a lock of its own as long as it lives. The system ends the lock with the process, also after SIGKILL,
so the others see at once that it is gone: no clock is compared and no time has to pass. What must happen once happens
in a turn, for which a process locks the folder of the search. Turns are short; trainings happen outside of them.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from textapp.output_files import Occupied, locked, real_path

PAUSE = 0.1  # seconds before a lock is tried again
WAITING = 1.0  # seconds between looks at what other processes do
LONGEST_TURN = 120.0  # seconds, after which a process gives up: another command holds the folder, not a turn
_ID_BYTES = 4


class Processes:
    """This process and the others of a search. Use it as a context; the lock of this process is held inside.

    Args:
        folder: The folder of the search. It need not exist.

    Attributes:
        name: The name of this process in the search.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.name = secrets.token_hex(_ID_BYTES)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Processes":
        self._stack.enter_context(locked(self._place(self.name)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Locks the folder of the search, after the turns of others.

        Raises:
            Occupied: Another command has held the folder for too long.
        """
        until = time.monotonic() + LONGEST_TURN
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(locked(self._folder))
                    break
                except Occupied:
                    if time.monotonic() > until:
                        raise
                time.sleep(PAUSE)
            yield

    def is_alive(self, name: str) -> bool:
        """Whether a process of the search still runs. Call it in a turn. It deletes the lock of one that was killed."""
        if name == self.name:  # some file systems would give the lock to the process that has it, and then end it
            return True
        try:
            with locked(self._place(name)):
                return False
        except Occupied:
            return True

    def others(self) -> list[str]:
        """The other processes of the search that still run. Call it in a turn."""
        real = real_path(self._folder)
        before, after = f".{real.name}.process-", ".textapp-lock"
        found = (path.name for path in (real.parent.iterdir() if real.parent.is_dir() else ()))
        names = (name.removeprefix(before).removesuffix(after) for name in found if name.startswith(before))
        return sorted(name for name in names if name != self.name and self.is_alive(name))

    def _place(self, name: str) -> Path:
        """The name of the lock of a process, beside the folder."""
        real = real_path(self._folder)
        return real.with_name(f"{real.name}.process-{name}")
