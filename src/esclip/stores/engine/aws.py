"""Requests to managed OpenSearch, signed with AWS credentials (the extra `aws`).

The credentials are those that AWS's own tools find: variables, profiles, web identity, the machine's role.
They are looked up before the first request, and renewed while a long ingest runs.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError
from opensearchpy import Urllib3AWSV4SignerAuth

from esclip._errors import ConfigError
from esclip._errors.secrets import Secret

# at DEBUG it logs what it signs, session tokens included, and responses with credentials
logging.getLogger("botocore").setLevel(logging.INFO)


class Signer:
    """Signs requests, as an opensearch-py `http_auth`. Thread-safe."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._lock = threading.Lock()
        self._credentials: Any = None

    def __call__(self, method: str, url: str, body: Any) -> dict[str, str]:
        """The headers with the signature. Raises `ConfigError` when there are no credentials."""
        try:
            credentials = self._load().get_frozen_credentials()
        except BotoCoreError as error:
            raise ConfigError(f"AWS credentials can't be read: {' '.join(str(error).split())}") from error
        headers = Urllib3AWSV4SignerAuth(credentials, self._region)(method, url, body)
        return {name: Secret(value) for name, value in headers.items()}

    def _load(self) -> Any:
        with self._lock:
            if self._credentials is None:
                self._credentials = botocore.session.get_session().get_credentials()
        if self._credentials is None:
            raise ConfigError(
                "there are no AWS credentials on this machine; "
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return self._credentials
