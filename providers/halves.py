"""Characters that JSON writes as two escapes (RFC 8259, section 7), where a server has cut between the two.

It has cut its text by UTF-16 units, as Java's and JavaScript's are counted, so that one event ends with the first half
of a character and the next begins with the second. No decoder takes such a half for text.
"""

import re

_ESCAPE = re.compile(
    rb"(?P<pair>\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|(?P<first>\\u[dD][89abAB]..)|(?P<second>\\u[dD][c-fC-F]..)|\\.",
    re.DOTALL,
)
_UNKNOWN = rb"\ufffd"


class Halves:
    """Mends the events of one stream, in their order."""

    def __init__(self) -> None:
        self._first = b""

    def joined(self, event: bytes) -> bytes:
        """The event with whole characters only.

        A half at the end of a string is put in front of the other one, when that comes; any other stands for nothing.
        """
        mended: list[bytes] = []
        end = 0
        for found in _ESCAPE.finditer(event):
            mended.append(event[end : found.start()])
            # An escape right before is part of the string, also where its last character is a quote.
            begins = found.start() > end and mended[-1].endswith(b'"')
            end = found.end()
            match found.lastgroup:
                case "first" if event[end : end + 1] == b'"':
                    self._first = found.group()
                case "second" if begins and self._first:
                    mended.append(self._first + found.group())
                    self._first = b""
                case "first" | "second":
                    mended.append(_UNKNOWN)
                case _:
                    mended.append(found.group())
        return b"".join([*mended, event[end:]])
