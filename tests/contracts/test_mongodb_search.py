"""What is MongoDB's own in a search: words are compared by their stems, in the language of each message."""

from collections.abc import AsyncGenerator

import pytest
from uuid_utils import uuid7

from server.search.mongodb import MongoSearch
from server.search.words import STEMMED
from server.storage.database import database
from tests.contracts.test_search import document, find, numbers

ENDINGS = {
    "da": "huset huse, bøgerne bøger, venner ven",
    "de": "Häuser Haus, Türme Turm, gearbeitet gearbeiteten",
    "en": "lighthouses lighthouse, running runs, observatories observatory",
    "es": "capitales capital, canciones canción, corriendo corría, faros faro",
    "fi": "talossa talon, kirjoja kirja",
    "fr": "lumières lumière, continuellement continuelle, maisons maison",
    "hu": "házak házat, könyvek könyvet",
    "it": "canzoni canzone, lampade lampada, velocemente veloce",
    "nb": "husene huset, bøkene bøker",
    "nl": "lampen lamp, lichten licht",
    "pt": "casas casa, falaram falava",
    "ro": "casele casă, luminile lumini",
    "ru": "маяки маяк, книги книга, домой домом",
    "sv": "böckerna böcker, lamporna lampor",
    "tr": "evler ev, kitaplar kitap",
}


@pytest.fixture
async def engine(mongodb_url: str) -> AsyncGenerator[MongoSearch]:
    """Give an engine on a database of the test's own."""
    name = f"test_{uuid7().hex}"
    async with database(mongodb_url, name) as client:
        engine = MongoSearch(client[name])
        await engine.prepare("live")
        yield engine
        await client.drop_database(name)


@pytest.mark.parametrize("language", sorted(STEMMED))
async def test_what_is_found_by_another_ending_is_marked(engine: MongoSearch, language: str) -> None:
    """The marks are made here, by the same rules: no message is found without showing for what."""
    pairs = [pair.split() for pair in ENDINGS[language].split(", ")]
    await engine.put(
        [document(number, f"1 {said} 2", language=language) for number, (said, _) in enumerate(pairs, 1)]
    )
    for number, (said, wanted) in enumerate(pairs, 1):
        results = await find(engine, f"{wanted} ")
        assert numbers(results) == [number], wanted
        assert [piece.text for piece in results.hits[0].highlights if piece.hit] == [said]
