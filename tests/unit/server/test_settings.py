"""What an operator may not say."""

import pytest
from pydantic import ValidationError

from server.settings import Settings


def test_browsers_cannot_search_where_we_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address for them alone is a mistake, and is told as one."""
    monkeypatch.delenv("CHAT_MEILISEARCH_URL", raising=False)
    monkeypatch.setenv("CHAT_MEILISEARCH_PUBLIC_URL", "https://search.example")
    with pytest.raises(ValidationError, match="CHAT_MEILISEARCH_PUBLIC_URL needs CHAT_MEILISEARCH_URL"):
        Settings()
    monkeypatch.setenv("CHAT_MEILISEARCH_URL", "http://127.0.0.1:7700")
    assert Settings().meilisearch_public_url == "https://search.example"
