"""The last step of every test in which something dies: whether all promises were kept."""

import asyncio

from tests.support.house import House


async def assert_kept(house: House, young: float = 0) -> None:
    """Run `python -m server audit`. A reply accepted less than `young` seconds ago may be on its way."""
    done = await asyncio.to_thread(house.run, "audit", "--young", str(young))
    assert done.returncode == 0, done.stdout + done.stderr
