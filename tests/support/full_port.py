"""A port where somebody listens and nobody is ever let in, as at a machine that is overwhelmed, or unplugged."""

import select
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from server.embedded.port import LOOPBACK

_MOST = 64
_NOT_LET_IN = 0.3


@contextmanager
def full_port() -> Generator[str]:
    """Its address, as `host:port`: the queue of those who wait to be accepted is full, so the kernel answers nobody."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((LOOPBACK, 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(_MOST):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
            if not select.select([], [waiting], [], _NOT_LET_IN)[1]:
                yield f"{LOOPBACK}:{address[1]}"
                return
        raise AssertionError(f"{_MOST} were let in, and the queue is not full")
