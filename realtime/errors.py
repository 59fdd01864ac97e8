"""Everything that can go wrong between a browser and a worker.

RealtimeError
├── Unavailable      the engine behind a port cannot be reached, or did not answer in time
├── StaleWriter      a newer attempt holds the draft; this one may not write any more
├── DraftLost        the draft's text is not what the writer believes: open it again
└── Overloaded       a bounded thing is full; try later
"""


class RealtimeError(Exception):
    """The root of the tree."""


class Unavailable(RealtimeError):
    """The engine behind a port cannot be reached, or did not answer in time. Nothing is known to be written."""


class StaleWriter(RealtimeError):
    """The record was refused: a newer attempt has opened the draft, or it has been closed."""


class DraftLost(RealtimeError):
    """The record was refused: the draft is gone, or shorter than the writer believes (the engine lost data)."""


class Overloaded(RealtimeError):
    """A bounded buffer or queue is full."""
