"""Redis is killed under the cache, and comes back."""

from pathlib import Path

from realtime.redis import command_client, subscription_client
from server.cache.contract import Kind
from server.cache.levels import Levels
from tests.support.private_valkey import private_valkey
from tests.support.waiting import wait_until

WORDS: Kind[str] = Kind("word", encode=str.encode, decode=bytes.decode)


async def test_without_redis_all_is_loaded_and_with_it_all_is_kept_again(tmp_path: Path) -> None:
    """Served from the database meanwhile, with what is true there; what was forgotten meanwhile stays forgotten."""
    words = {"owl": "hoot", "lark": "trill"}
    async with (
        private_valkey(tmp_path) as engine,
        command_client(engine.url) as commands,
        subscription_client(engine.url) as feed,
        Levels(commands, feed).running() as cache,
    ):

        async def hears() -> bool:
            return cache.hears

        async def deaf() -> bool:
            return not cache.hears

        async def read(word: str) -> str | None:
            async def load() -> str | None:
                return words[word]

            return await cache.get(WORDS, word, load)

        await wait_until(hears)
        assert [await read("owl"), await read("lark")] == ["hoot", "trill"]
        await engine.kill()
        await wait_until(deaf)
        cache.counts.clear()
        words["owl"] = "shriek"
        assert [await read("owl"), await read("owl"), await read("lark")] == ["shriek", "shriek", "trill"]
        assert cache.counts == {("word", "database"): 3}
        await cache.forget(WORDS, "owl")
        await engine.start()  # with the older word on its disk
        await wait_until(hears)
        assert await read("owl") == "shriek"

        async def kept_again() -> bool:
            before = cache.counts["word", "memory"]
            return await read("owl") == "shriek" and cache.counts["word", "memory"] > before

        await wait_until(kept_again)
