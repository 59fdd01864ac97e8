"""Chapter 11. Errors.

Every error has a `code` for programs, which is stable, a `detail` for people, and, where one is to blame, the
`field`. Over HTTP it is a problem document (RFC 9457); on the socket an `error` frame under the id of what it answers.
The socket stays usable: the next good frame works.
"""

from tests.support.client import Http, chat
from tests.support.house import House


async def test_an_error_over_http(ada: Http) -> None:
    """A problem document, with its own media type."""
    response = await ada.client.post("/v1/conversations", json={"titel": "Of engines"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Invalid",
        "status": 422,
        "code": "invalid",
        "detail": "titel: There is no such field.",
        "field": "titel",
    }


async def test_an_error_on_the_socket(house: House, ada: Http) -> None:
    """An error frame, and then work as usual."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        error = await device.ask("send", conversation=conversation, text="  ")
        assert error == {
            "type": "error",
            "id": error["id"],
            "code": "text_empty",
            "detail": "There is nothing in this message.",
            "field": "text",
        }
        assert (await device.send(conversation, "Hola"))["duplicate"] is False


async def test_a_reply_that_fails(house: House, ada: Http) -> None:
    """The model's trouble ends the reply, not the conversation; what had come is kept."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, "say 20 tokens, then end early"))["reply"]
        end = await device.until_end(reply)
        assert (end["type"], end["code"]) == ("reply.failed", "provider_truncated")
        assert len(device.reader.texts[reply]) == end["length"] > 0

        again = (await device.send(conversation, "say 20 tokens"))["reply"]
        assert (await device.until_end(again))["type"] == "reply.completed"
