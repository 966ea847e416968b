"""Requests without the SDK."""

from __future__ import annotations

from typing import Any

import requests

from tests.platform.fixture import Platform


class Client:
    """Posts to a platform, one attempt each."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.headers = {"x-api-key": platform.token}

    def post(self, method: str, json: Any = None, **options: Any) -> requests.Response:
        address = f"{self.platform.address}/public/api/v3/{method}"
        options = {"headers": self.headers, "timeout": 20, **options}
        return requests.post(address, json=json, **options)
