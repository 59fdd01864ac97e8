"""The assembly: which engine stands behind which port, a module for each kind of process.

Nowhere else are engines named.
"""

from server.wiring.core import Core, allowances_of, core, now
from server.wiring.errors import NotConfigured
from server.wiring.providers import choose_provider, fallback_links, provider_configs, summary_link
from server.wiring.web import SOCKET_LIMITS, STATIC, Web, ensure_secret, release, web
from server.wiring.worker import worker

__all__ = [
    "SOCKET_LIMITS",
    "STATIC",
    "Core",
    "NotConfigured",
    "Web",
    "allowances_of",
    "choose_provider",
    "core",
    "ensure_secret",
    "fallback_links",
    "now",
    "provider_configs",
    "release",
    "summary_link",
    "web",
    "worker",
]
