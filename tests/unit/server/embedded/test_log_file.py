"""The log of a child: bounded, and readable from its end."""

from pathlib import Path

from server.embedded.log_file import open_log, tail


def test_appends_until_the_limit_is_passed(tmp_path: Path) -> None:
    """A short log is continued; one that has grown too long is set aside, in one generation."""
    path = tmp_path / "logs" / "toy.log"
    for text in (b"one ", b"two ", b"three"):
        with open_log(path, limit=7) as log:
            log.write(text)
    assert path.read_text() == "three"
    assert path.with_name("toy.log.1").read_text() == "one two "


def test_tail_has_the_last_lines_of_one_life(tmp_path: Path) -> None:
    """No more lines than asked for, and none from before the given size."""
    path = tmp_path / "toy.log"
    path.write_bytes(b"old\n" + b"".join(b"%d\n" % number for number in range(5000)) + b"\xff")
    assert tail(path, lines=3) == "4998\n4999\n\ufffd"
    path.write_bytes(b"old\nnew\n")
    assert tail(path, since=4) == "new"
