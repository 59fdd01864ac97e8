"""Chapter 10. Server-sent events.

Who only wants to watch needs no socket: `GET /v1/conversations/{id}/events` gives the same events as a stream that
`curl -N` shows, and any library for server-sent events reads. (A browser's own `EventSource` does not: it sends no
`Authorization` header.) Each has an `id`, `epoch:offset`; given back as `Last-Event-ID` it resumes, exactly as `after`
does.
"""

from tests.support.client import Http
from tests.support.house import House
from tests.support.listener import listening
from tests.support.talking_model import spoken


async def test_server_sent_events(house: House, ada: Http) -> None:
    """Watch a while, leave, and come back for the rest."""
    conversation = await ada.conversation()
    async with listening(ada, conversation) as stream:
        subscribed = await stream.read()
        assert subscribed["type"] == "subscribed"
        path = f"/v1/conversations/{conversation}/messages"
        sent = await ada.post(path, {"text": "say 120 tokens at 300/s"}, status=202)
        while stream.heard[-1]["type"] != "reply.delta":
            await stream.read()
        last_id = stream.last_id
        assert last_id == f"{subscribed['epoch']}:{stream.heard[-1]['offset']}"

    async with listening(ada, conversation, last_id, stream.reader) as stream:
        assert (await stream.read())["recovered"] is True
        await stream.until_end(sent["reply"])
    assert stream.reader.texts[sent["reply"]] == spoken(120)
