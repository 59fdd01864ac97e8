"""How a client follows the branches of a conversation (docs/protocol.md, "Branches")."""

from typing import Any

Message = dict[str, Any]

_NEW: Message = {"retracted": False, "archived": False, "turns": 0}


class Follower:
    """Every message that it was told of, a head and a version; `path` is what it shows."""

    def __init__(self, subscribed: dict[str, Any]) -> None:
        snapshot = subscribed["snapshot"]
        self.head: str | None = snapshot["head"]
        self.version: int = snapshot["version"]
        self.messages: dict[str, Message] = {}
        self.retracted: set[str] = set()
        self.turned: dict[str, dict[str, Any]] = {}
        self.must_read_again = False
        """Something is missing; a new snapshot has it."""
        for message in [*snapshot["aside"], *snapshot["messages"]]:
            self._keep(message)

    def take(self, event: dict[str, Any]) -> None:
        """Apply one event."""
        match event["type"]:
            case "message.created":
                self._keep(event["message"])
                self._move(event["message"]["id"], event["version"])
            case "reply.queued":
                self._keep(_queued(event))
                self._move(event["reply"], event["version"])
            case "branch.chosen":
                self._branch(event)
            case "message.retracted":
                self.retracted.add(event["message"])
                self._void(event["message"])
            case "message.archived":
                self._put(event["message"], {name: event[name] for name in ("archived", "turns")})
            case "reply.started":
                self._reply(event, status="running")
            case "reply.delta" if event["reply"] in self.messages:
                text = self.messages[event["reply"]]["text"]
                assert len(text) >= event["at"], "a hole in the text"
                self._reply(event, text=text[: event["at"]] + event["text"])
            case "reply.completed" | "reply.failed" | "reply.cancelled":
                account = {name: event[name] for name in ("usage", "cost", "timing")}
                self._reply(event, status=event["type"].removeprefix("reply."), **account)
            case _:
                pass

    @property
    def path(self) -> list[Message]:
        """From the oldest that is known of the branch to its head."""
        path: list[Message] = []
        at = self.head
        while at is not None and at in self.messages:
            path.append(self.messages[at])
            at = path[-1]["parent"]
        return path[::-1]

    @property
    def torn(self) -> bool:
        """Something between did not come (in these tests no branch is longer than a snapshot)."""
        return self.must_read_again or bool(self.path and self.path[0]["parent"] is not None)

    def _branch(self, event: dict[str, Any]) -> None:
        for message in event["messages"] or []:
            if message["id"] not in self.messages:
                self._keep(message)
        if self._move(event["head"], event["version"]) and event["messages"] is None:
            self.must_read_again = True

    def _move(self, head: str | None, version: int) -> bool:
        if version < self.version:
            return False
        self.head, self.version = head, version
        return True

    def _keep(self, message: Message) -> None:
        known = self.messages.get(message["id"])
        if known is None:
            self.messages[message["id"]] = _NEW | message
        siblings = max([message["siblings"], known["siblings"] if known else []], key=len)
        for sibling in siblings:
            other = self.messages.get(sibling)
            if other is not None and len(other["siblings"]) < len(siblings):
                other["siblings"] = siblings
        self._inherit(message["id"])
        self._put(message["id"], self.turned.get(message["id"], {"turns": 0}))
        if message["id"] in self.retracted:
            self._void(message["id"])

    def _put(self, message: str, said: dict[str, Any]) -> None:
        """Away, or out again, unless something later has said otherwise."""
        if said["turns"] > self.turned.get(message, {"turns": 0})["turns"]:
            self.turned[message] = said
        if message in self.messages and said["turns"] > self.messages[message]["turns"]:
            self.messages[message] |= said

    def _void(self, message: str) -> None:
        if message in self.messages:
            self.messages[message] |= {"text": "", "retracted": True}

    def _inherit(self, message: str) -> None:
        """Another version may know of more siblings than the one that comes."""
        mine = self.messages[message]
        for other in self.messages.values():
            if message in other["siblings"] and len(other["siblings"]) > len(mine["siblings"]):
                mine["siblings"] = other["siblings"]

    def _reply(self, event: dict[str, Any], **said: Any) -> None:
        if event["reply"] in self.messages:
            self.messages[event["reply"]] |= said


def _queued(event: dict[str, Any]) -> Message:
    return {
        "id": event["reply"],
        "seq": event["seq"],
        "role": "assistant",
        "text": "",
        "status": "queued",
        "parent": event["message"],
        "reply_to": event["message"],
        "siblings": event["siblings"],
        **_NEW,
    }
