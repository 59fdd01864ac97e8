"""The page and its files, under a strict Content-Security-Policy.

There is no build step and no inline script but one: browsers take an import map only from inside the page, so the
policy names it by its hash.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def content_security_policy(html: str) -> str:
    """The policy for a page: its own files, its own server, and its import map by hash."""
    found = _IMPORT_MAP.search(html)
    script = "'self'"
    if found:
        digest = base64.b64encode(hashlib.sha256(found.group(1).encode()).digest()).decode()
        script += f" 'sha256-{digest}'"
    return (
        f"default-src 'none'; script-src {script}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class Page:
    """`GET /` and `GET /static/…`."""

    def __init__(self, folder: Path) -> None:
        html = (folder / "index.html").read_text()
        headers = {
            **_COMMON,
            "Content-Security-Policy": content_security_policy(html),
            "Cache-Control": "no-cache",
        }
        self.index = HTMLResponse(html, headers=headers)
        self.files = _Files(folder)
        # Swagger UI styles its elements in place; its page holds nothing of ours.
        docs = {**headers, "Content-Security-Policy": _docs_policy(headers["Content-Security-Policy"])}
        self.docs = FileResponse(folder / "docs.html", headers=docs)


def _docs_policy(policy: str) -> str:
    return policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


class _Files(StaticFiles):
    """Files are asked about each time and sent only when they have changed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """As the parent's, with our headers."""
        response = super().file_response(*args, **kwargs)
        response.headers.update({**_COMMON, "Cache-Control": "no-cache"})
        return response
