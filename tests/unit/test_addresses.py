"""What a text that a user gives is: a server's address, a folder, or an address that is spelled wrongly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import esclip
from esclip import ConfigError, FetchError, StoreAuth
from esclip._files.locations import server_address, split_credentials, user_path
from esclip.stores import SERVERS, is_folder, is_server, open_store

MISSPELLED = [
    ("localhost:9200", "http://localhost:9200"),
    ("localhost", "http://localhost"),
    ("localhost/prefix", "http://localhost/prefix"),
    ("127.0.0.1", "http://127.0.0.1"),
    ("10.0.0.7:9200/prefix", "http://10.0.0.7:9200/prefix"),
    ("search.example.org:443", "http://search.example.org:443"),
    ("es-node_1:9200", "http://es-node_1:9200"),
    ("[::1]:9200", "http://[::1]:9200"),
    ("[fe80::1]", "http://[fe80::1]"),
    ("::1", "http://[::1]"),
    ("http:/localhost:9200", "http://localhost:9200"),
    ("https:/host", "https://host"),
    ("http:localhost:9200", "http://localhost:9200"),
    ("http//localhost:9200", "http://localhost:9200"),
    ("http;//localhost:9200", "http://localhost:9200"),
    ("https:\\\\host", "https://host"),
    ("htpp://host:9200", "http://host:9200"),
    ("htps://host", "https://host"),
    ("HTTPS:/host", "https://host"),
    ("//host:9200", "http://host:9200"),
    ("//search.example.org", "http://search.example.org"),
    ("ftp://host", "http://host"),
]
FOLDERS = [
    "pictures",
    "./localhost:9200",
    "/data/index:1",
    "../http:/x",
    "photos.lance",
    "my index",
    "2024-05",
    "C:\\pictures",
    "C:/pictures",
    "https",
    "http",
    "localhosts",
    "a:b",
    "///data",
    "",
]
NAMES = [
    "palette",
    "clip-ViT-B-32",
    "openai/clip-vit-base-patch32",
    "ViT-B-32::openai",
    "open_clip:ViT-B-32",
    "hf-hub:timm/ViT-B-16-SigLIP",
    "sentence-transformers/clip-ViT-B-32",
]


@pytest.mark.parametrize(("text", "right"), MISSPELLED)
@pytest.mark.parametrize("blanks", ["{}", " {}\n"])
def test_an_address_spelled_wrongly_is_told_rightly(text: str, right: str, blanks: str) -> None:
    """What looks like a server's is neither a folder nor a model: the error has the spelling to use."""
    with pytest.raises(ConfigError) as raised:
        server_address(blanks.format(text), "store")
    assert text in str(raised.value)
    assert f"write {right}" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", [*FOLDERS, *NAMES])
def test_folders_and_models_are_no_addresses(text: str) -> None:
    """A path that says that it is one, a name with dots, a drive, a model: none of them is a server's."""
    assert server_address(text, "store") is None


@pytest.mark.parametrize("text", ["http://host:9200", "HTTPS://host/a", " https://host\t", "http://u:p@h"])
def test_addresses_are_taken_without_blanks(text: str) -> None:
    """An address is one whatever blanks a variable has around it."""
    assert server_address(text, "store") == text.strip()


def test_two_slashes_before_a_folder(tmp_path: Path) -> None:
    """A path that begins with two slashes, as joined ones do, is a path where there is something."""
    assert server_address(f"/{tmp_path}", "store") is None


@pytest.mark.parametrize(
    "text",
    [
        "alice:s3cret@host",
        "alice:s3cret@host:9200/a",
        "alice@host:9200",
        "http:/alice:s3cret@host",
        "htpp://alice:s3cret@host",
        "http:alice:s3cret@host",
        "//alice:s3cret@host",
        "alice:s3/cret@host",
    ],
)
def test_no_password_becomes_a_folder(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address with a password is no folder's name, however it is spelled, and the error has it not."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="write http") as raised:
        esclip.open_index(text, encoder="palette")
    assert "s3cret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_blanks_make_no_folder_of_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address with a password and a blank before it, as a variable may have, is the address."""
    monkeypatch.chdir(tmp_path)
    with esclip.open_index(" http://alice:s3cret@localhost:9200\n", encoder="palette") as index:
        assert index._stores.named.address == "http://localhost:9200"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", [*SERVERS, *map(str.upper, SERVERS)])
def test_each_scheme_opens_a_store(scheme: str, tmp_path: Path) -> None:
    """Each row of the table of schemes opens a store, which knows its address as a server's."""
    assert not is_folder(f"{scheme}://host")
    store = open_store(f"{scheme}://host", "x")
    assert is_server(store.address)
    store.close()
    assert is_folder(str(tmp_path))
    assert not is_server(open_store(tmp_path, "x").address)


OPENED: dict[str, Callable[[str], object]] = {
    "store": lambda text: open_store(text, "x"),
    "encoder": lambda text: esclip.load_encoder(text),
}


@pytest.mark.parametrize("what", OPENED)
@pytest.mark.parametrize("text", ["localhost:9200", "http:/localhost:9200", "htpp://localhost", "[::1]:9200"])
def test_stores_and_encoders_tell_alike(text: str, what: str) -> None:
    """Whatever takes an address names whose it is and the spelling to use."""
    with pytest.raises(ConfigError, match=f"the {what}'s address .* write http://"):
        OPENED[what](text)


@pytest.mark.parametrize("address", ["http://ho\nst:9200", "http://h\u0000ost", "https://a host"])
def test_characters_that_no_address_has(address: str) -> None:
    """What a URL parser would quietly leave out is an error, not another host."""
    with pytest.raises(ConfigError, match="store's address"):
        split_credentials(address, "store", "https://host:9200")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a picture, and another one as the current directory."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home" / "pictures").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "home" / "pictures" / "red.png")
    return tmp_path / "home"


def test_a_tilde_is_the_home_directory(home: Path) -> None:
    """Store, pictures, captions, labels and the picture to search with: `~` from a variable is the home."""
    (home / "captions.json").write_text('{"pictures/red.png": "a red square"}')
    (home / "labels.txt").write_text("red\nblue\n")
    with esclip.open_index(" ~/index ", encoder=" palette ") as index:
        index.ingest(
            "~/pictures",
            captions="~/captions.json",
            labels="~/labels.txt",
            cache="~/cache",
            max_rejection_rate=0,
        )
        (hit,) = index.search_image("~/pictures/red.png")
        assert (hit.description, hit.metadata["label"]) == ("a red square", "red")
    assert (home / "index").is_dir()
    assert list(Path.cwd().iterdir()) == []
    assert StoreAuth(ca_file="~/ca.pem").ca_file == home / "ca.pem"


@pytest.mark.parametrize("path", ["http://host/a", "https:/host", "file:///a"])
def test_an_address_is_no_path(path: str) -> None:
    """Where a path is wanted an address is told, and nothing is made of that name."""
    with pytest.raises(ConfigError, match=r"cache .*: an address where a path is expected"):
        user_path(path, "cache")


@pytest.mark.parametrize("place", ["localhost:9000/a.jpg", "http:/host/a.jpg", "//host/a.jpg"])
def test_a_picture_at_an_address_spelled_wrongly(home: Path, place: str) -> None:
    """A picture to search with that is no file, and looks like an address, is told how to spell that."""
    with esclip.open_index("~/index", encoder="palette") as index:
        index.ingest("~/pictures")
        with pytest.raises(
            FetchError, match=r"no such file, and as an address it is http://\w+(:9000)?/a.jpg"
        ):
            index.search_image(place)


def test_the_home_of_nobody() -> None:
    """A home directory that isn't there is told, not taken for a folder."""
    with pytest.raises(ConfigError, match="store ~no-such-user-here/x: there is no such home directory"):
        open_store("~no-such-user-here/x", "x")


def test_a_nul_is_in_no_path(tmp_path: Path) -> None:
    """A path with a NUL, as a program may make one, is an error that shows it escaped."""
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        for path in ("pictures\0", Path("pictures\0")):
            with pytest.raises(ConfigError, match=r"pictures\\u0000: it holds a NUL"):
                index.ingest(path)
