"""Credentials: where a worker in another process or on another machine takes its token from."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from nifti_kit.errors import TargetError

__all__ = ["clean_address", "token_here"]

SDK_FILE = "~/supervisely.env"
"""Where the SDK keeps address and token; the environment goes before it."""


def clean_address(address: str) -> str:
    """Return an address with its scheme, and without a slash at its end."""
    address = address.strip().rstrip("/")
    return address if "://" in address else f"https://{address}"


def token_here(address: str) -> str:
    """Return the token that this process has for an instance.

    Raises
    ------
    TargetError
        If it has none, or one for another instance.
    """
    known = {**dotenv_values(Path(SDK_FILE).expanduser()), **os.environ}
    server, token = known.get("SERVER_ADDRESS"), known.get("API_TOKEN")
    if server and token and clean_address(server) == address:
        return token
    raise TargetError(
        "a worker has no token for the instance: tokens are not sent to workers",
        path=address,
        found=f"SERVER_ADDRESS is {clean_address(server)}" if server else "no SERVER_ADDRESS",
        expected=f"SERVER_ADDRESS and API_TOKEN in the worker's environment, or in {SDK_FILE}",
        remedy="Set both where the workers are started.",
    )
