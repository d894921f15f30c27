"""Addresses of buckets and of what is in them: `s3://bucket/folder/a.jpg`.

Names stand in them as they are: nothing is escaped, and neither `?` nor `#` ends one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from esclip._errors import ConfigError, one_line
from esclip._errors.secrets import mask

SCHEME = "s3"
_BEGIN = f"{SCHEME}://"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


class BucketPath(NamedTuple):
    """A bucket, and the name of an object in it, or the beginning of several: a folder."""

    bucket: str
    key: str
    """Without a slash at its ends; empty for the whole bucket."""

    @classmethod
    def parse(cls, address: str) -> BucketPath:
        """The parts of an address. Raises `ValueError`, which says what is wrong with it."""
        bucket, _, key = address.lstrip()[len(_BEGIN) :].partition("/")
        if "@" in bucket or ":" in bucket:
            raise ValueError(
                "credentials don't belong in the address of a bucket; give them as to AWS's tools"
            )
        if not _BUCKET.fullmatch(bucket):
            raise ValueError(
                "a bucket is like s3://name, of 3 to 63 lower-case letters, digits, dots and hyphens"
            )
        key = key.removesuffix("/")
        if key and {"", ".", ".."} & {*key.split("/")}:
            raise ValueError("an object with an empty part, a . or a .. in its name can't be read")
        try:
            key.encode()
        except UnicodeEncodeError:
            raise ValueError("the name of the object is not valid Unicode") from None
        return cls(bucket, key)

    @classmethod
    def of_user(cls, address: str, what: str) -> BucketPath:
        """The same. Raises `ConfigError`, which says `what` the address is for."""
        try:
            return cls.parse(address.strip())
        except ValueError as error:
            raise ConfigError(f"{what} {one_line(mask(address), 200)}: {error}") from None

    @property
    def path(self) -> str:
        """As pyarrow names it."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    def __str__(self) -> str:
        """The address."""
        return f"{_BEGIN}{self.path}"


def is_bucket_address(text: object) -> bool:
    """Whether a text is the address of a bucket, or of something in it; a `Path` is none."""
    return isinstance(text, str) and text.lstrip()[: len(_BEGIN)].lower() == _BEGIN
