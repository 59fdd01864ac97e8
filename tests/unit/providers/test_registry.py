"""The registry: engines by name, ours and those of other packages."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from providers import registry
from providers.contract import Delta, Finish, Prompt
from providers.errors import UnknownProvider
from providers.registry import ENTRY_POINTS, ProviderConfig, Registry


class Parrot:
    """An engine as another package might bring it."""

    opened: list["Parrot"]

    def __init__(self, config: ProviderConfig) -> None:
        self.name = config.name
        self.closed = False
        self.opened.append(self)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Say nothing, well."""
        yield Finish("stop", None)

    async def models(self) -> list[str]:
        """Name one."""
        return ["grey"]

    async def aclose(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.fixture
def parrots(monkeypatch: pytest.MonkeyPatch) -> list[Parrot]:
    """Install the foreign engine under the kinds `parrot` and, in vain, `openai`; list what it builds."""
    Parrot.opened = []
    found = EntryPoints(EntryPoint(kind, f"{__name__}:Parrot", ENTRY_POINTS) for kind in ("parrot", "openai"))
    monkeypatch.setattr(registry, "entry_points", found.select)
    return Parrot.opened


async def test_a_provider_is_found_by_name() -> None:
    """Two configurations of one engine are two providers, in the order of the configuration."""
    configs = [
        ProviderConfig("studio", "openai", base_url="http://localhost"),
        ProviderConfig("cloud", "anthropic"),
    ]
    async with Registry(configs) as providers:
        assert providers.names == ("studio", "cloud")
        assert providers.get("studio").name == "studio"
        assert providers.get("cloud") is providers.get("cloud")
        assert providers.config("studio") is configs[0]


async def test_an_unknown_name_says_which_are_known() -> None:
    """The error names what is configured."""
    async with Registry([ProviderConfig("studio", "openai")]) as providers:
        for look_up in (providers.get, providers.config):
            with pytest.raises(UnknownProvider, match=r"'nobody'.*studio") as caught:
                look_up("nobody")
            assert caught.value.code == "provider_unknown"


async def test_another_package_brings_an_engine(parrots: list[Parrot]) -> None:
    """An entry point is found by its kind, opened with its configuration, and closed at the end."""
    async with Registry([ProviderConfig("polly", "parrot")]) as providers:
        assert await providers.get("polly").models() == ["grey"]
    assert [(parrot.name, parrot.closed) for parrot in parrots] == [("polly", True)]


async def test_no_package_takes_the_place_of_an_engine_of_ours(parrots: list[Parrot]) -> None:
    """An entry point named like a built-in kind is not asked."""
    async with Registry([ProviderConfig("studio", "openai")]):
        assert parrots == []


async def test_an_unknown_kind_closes_what_was_open(parrots: list[Parrot]) -> None:
    """A configuration that cannot be met leaves nothing behind."""
    providers = Registry([ProviderConfig("polly", "parrot"), ProviderConfig("x", "carrier pigeon")])
    with pytest.raises(UnknownProvider, match="carrier pigeon"):
        async with providers:
            pytest.fail("it opened")
    assert [parrot.closed for parrot in parrots] == [True]


def test_a_name_stands_for_one_provider() -> None:
    """Two of the same name are a mistake of the operator's."""
    with pytest.raises(ValueError, match="studio"):
        Registry([ProviderConfig("studio", "openai"), ProviderConfig("studio", "anthropic")])


def test_a_configuration_never_shows_its_key() -> None:
    """The key is left out of every representation."""
    assert "geheim" not in repr(ProviderConfig("cloud", "openai", api_key="geheim"))


@pytest.mark.parametrize(("kind", "other"), [("openai", "anthropic"), ("anthropic", "openai")])
def test_a_vendor_s_sdk_costs_its_users_alone(kind: str, other: str) -> None:
    """Opening one engine does not import what another needs."""
    code = (
        "import asyncio, sys\n"
        "from providers.registry import ProviderConfig, Registry\n"
        "async def main():\n"
        f"    async with Registry([ProviderConfig('x', {kind!r})]):\n"
        f"        assert {kind!r} in sys.modules and {other!r} not in sys.modules\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
