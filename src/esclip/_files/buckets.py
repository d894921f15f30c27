"""Addresses of buckets and of what is in them: `s3://bucket/folder/a.jpg`, in one form for each.

    s3://bucket/key, s3a://                   Amazon S3, and what speaks its protocol
    gs://bucket/key, gcs://                   Google Cloud Storage
    az://container/key                        Azure, of the account that the environment names
    abfss://container@account.dfs.core.windows.net/key, abfs://     Azure, of this account

Names stand in them as they are: nothing is escaped, and neither `?` nor `#` ends one.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from esclip._errors import ConfigError, one_line
from esclip._errors.secrets import mask

SCHEMES = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "abfss",
    "abfss": "abfss",
}
"""What an address may begin with, and what it begins with in an index."""

_ADDRESS = re.compile(rf"\s*({'|'.join(SCHEMES)})://", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_CLOUD = r"\.core\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)"
_ACCOUNT = re.compile(rf"([a-z0-9]{{3,24}})\.(?:dfs|blob)({_CLOUD})")
"""Of Azure's own clouds alone: its credentials are sent there."""


class BucketPath(NamedTuple):
    """A bucket, and the name of an object in it, or the beginning of several: a folder."""

    scheme: str
    """One of the values of `SCHEMES`."""
    bucket: str
    """Of `abfss`, `container@account.dfs.core.windows.net`."""
    key: str
    """Without a slash at its ends; empty for the whole bucket."""

    @classmethod
    def parse(cls, address: str) -> BucketPath:
        """The parts of an address. Raises `ValueError`, which says what is wrong with it."""
        begin = _ADDRESS.match(address)
        if begin is None:
            raise ValueError(f"a bucket's address begins with one of {', '.join(SCHEMES)}, and ://")
        scheme = SCHEMES[begin[1].lower()]
        bucket, _, key = address[begin.end() :].partition("/")
        bucket = _with_account(bucket) if scheme == "abfss" else bucket
        if ":" in bucket or ("@" in bucket and scheme != "abfss"):
            raise ValueError(
                "credentials don't belong in the address of a bucket; give them as to its service's own tools"
            )
        if not _BUCKET.fullmatch(bucket.partition("@")[0]):
            raise ValueError(
                f"a bucket is like {scheme}://name, of 3 to 63 lower-case letters, digits, dots and hyphens"
            )
        key = key.removesuffix("/")
        if key and {"", ".", ".."} & {*key.split("/")}:
            raise ValueError("an object with an empty part, a . or a .. in its name can't be read")
        try:
            key.encode()
        except UnicodeEncodeError:
            raise ValueError("the name of the object is not valid Unicode") from None
        return cls(scheme, bucket, key)

    @classmethod
    def of_user(cls, address: str, what: str) -> BucketPath:
        """The same. Raises `ConfigError`, which says `what` the address is for."""
        try:
            return cls.parse(address.strip())
        except ValueError as error:
            raise ConfigError(f"{what} {one_line(mask(address), 200)}: {error}") from None

    @property
    def root(self) -> BucketPath:
        """The whole bucket."""
        return self._replace(key="")

    @property
    def parent(self) -> BucketPath:
        """The folder that it is in."""
        return self._replace(key=self.key.rpartition("/")[0])

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """Of its name, with the dot."""
        return PurePosixPath(self.name).suffix

    def __truediv__(self, name: str) -> BucketPath:
        """What is called so in this folder."""
        return self._replace(key=f"{self.key}/{name}".removeprefix("/"))

    def with_suffix(self, suffix: str) -> BucketPath:
        """With this in place of the suffix."""
        return self._replace(key=self.key.removesuffix(self.suffix) + suffix)

    @property
    def account(self) -> tuple[str, str] | None:
        """The account of Azure that an address names, and its cloud (`.core.windows.net`)."""
        match = _ACCOUNT.fullmatch(self.bucket.partition("@")[2])
        return (match[1], match[2]) if match else None

    @property
    def path(self) -> str:
        """As pyarrow names it."""
        bucket = self.bucket.partition("@")[0]
        return f"{bucket}/{self.key}" if self.key else bucket

    def __str__(self) -> str:
        """The address."""
        root = f"{self.scheme}://{self.bucket}"
        return f"{root}/{self.key}" if self.key else root


def _with_account(bucket: str) -> str:
    """The container and account of an address of Azure, in one form. Raises `ValueError`."""
    container, _, host = bucket.partition("@")
    match = _ACCOUNT.fullmatch(host)
    if match is None:
        raise ValueError("it is like abfss://container@account.dfs.core.windows.net/folder")
    return f"{container}@{match[1]}.dfs{match[2]}"


def is_bucket_address(text: object) -> bool:
    """Whether a text is the address of a bucket, or of something in it; a `Path` is none."""
    return isinstance(text, str) and _ADDRESS.match(text) is not None
