"""What must hold of a conversation's branches: one is chosen, whole; versions know one another. Pure."""

from collections.abc import Iterator

from server.domain.stored_story import Finding, Row, Story


def branching(story: Story) -> Iterator[Finding]:
    """What is wrong with the tree of messages."""
    messages = {message["_id"]: message for message in story.messages}
    yield from _chosen(story.conversation, messages)
    yield from _versions(messages)
    for name, message in messages.items():
        tip = message.get("tip")
        if tip is not None and name not in _walk(tip, messages):
            yield Finding("the way back", name, f"its branch was left at {tip}, which does not lie on it")


def _chosen(conversation: Row, messages: dict[str, Row]) -> Iterator[Finding]:
    """Chosen are exactly those between the head and the first message."""
    head = conversation["head"]
    branch = _walk(head, messages) if head is not None else []
    if head is not None and (not branch or messages[branch[-1]]["parent"] is not None):
        yield Finding("one branch is chosen", conversation["_id"], f"no way from {head} to the first message")
        return
    chosen = {name for name, message in messages.items() if message["chosen"]}
    for name in sorted(chosen ^ set(branch)):
        how = "chosen, and not on the way from the head" if name in chosen else "not chosen, and on the way"
        yield Finding("one branch is chosen", name, how)


def _versions(messages: dict[str, Row]) -> Iterator[Finding]:
    """Siblings are exactly the messages with the same parent, and each lists all of them as they were born."""
    families: dict[str | None, list[Row]] = {}
    for message in messages.values():
        families.setdefault(message["parent"], []).append(message)
    for family in families.values():
        names = [message["_id"] for message in sorted(family, key=lambda message: message["seq"])]
        expected = names if len(names) > 1 else []
        for message in family:
            if message["siblings"] != expected:
                detail = f"it lists {message['siblings']}, and its parent has {expected}"
                yield Finding("siblings share a parent", message["_id"], detail)


def _walk(start: str, messages: dict[str, Row]) -> list[str]:
    """From a message along `parent`, as far as there are messages; each once."""
    walked: list[str] = []
    seen: set[str] = set()
    at: str | None = start
    while at is not None and at in messages and at not in seen:
        walked.append(at)
        seen.add(at)
        at = messages[at]["parent"]
    return walked
