"""The options of an ingest and of a retry: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Annotated, Any, TypedDict

from esclip._concurrency.stop import CancelToken
from esclip._core.index_settings import BOUNDS, VECTOR_LEVELS
from esclip._core.labels import Labels
from esclip._core.options import BATCH_SIZE_OPTION, PICTURE_BYTES_OPTION, RATE_OPTION, Opt, Panel
from esclip._core.outcomes import RecordOutcome
from esclip._core.progress import Progress
from esclip._core.rejections import Rejection
from esclip._core.settings import FETCH_WORKERS, MANIFEST_PART_RECORDS, MAX_REJECTION_RATE, UNSPLASH_HOST
from esclip._core.targets import PART_KINDS
from esclip._files.locations import AnyCaptioner, AnyCaptions, AnyDetector, AnyPath

LIMIT = Opt(None, "Only the first N records.", minimum=1, maximum=1_000_000_000, metavar="N")

ALLOW_HOSTS = Opt(
    (),
    f"A further host to fetch from, besides {UNSPLASH_HOST}, also in a private network, or a bucket to "
    "read, as s3://NAME; repeatable.",
    metavar="HOST",
    flag="allow-host",
    panel=Panel.ACCESS,
)
URL_COLUMN = Opt(
    None,
    "A table's column with the pictures' URLs, or paths, or image bytes. [default: url, image_url or image]",
    metavar="NAME",
)
ID_COLUMN = Opt(
    None,
    "A table's column with ids. [default: id; without one, ids are made of the URLs]",
    metavar="NAME",
)


DETECTOR_THRESHOLD = 0.5
"""That of transformers' examples: half sure."""

DRY_RUN = Opt(
    False, "Only say what would be done. Nothing is fetched, encoded or written.", panel=Panel.OUTPUT
)


def max_rejection_rate(default: float) -> Opt:
    """The option of the failure budget."""
    help = "Fail when more than this share is rejected."
    return Opt(default, help, minimum=0.0, maximum=1.0, metavar="R", panel=Panel.TUNING)


def _setting(name: str, help: str) -> Opt:
    least, most = BOUNDS[name]
    return Opt(None, help, minimum=least, maximum=most, metavar="N", panel=Panel.INDEX)


def _of_dry_runs(opt: Opt) -> Opt:
    return replace(opt, help=f"With {{dry_run}}: {opt.help[0].lower()}{opt.help[1:]}", panel=Panel.TUNING)


class SettingOptions(TypedDict, total=False):
    """How an index is made, and kept by a cluster."""

    vectors: Annotated[
        str | None,
        Opt(
            None,
            "How vectors are compared first: float, int8 or bit; the smaller, the less memory. An "
            "embedded index takes float as int8. Scores are by the float32 vectors always. [default: as the "
            "index is made, a new one float]",
            choices=VECTOR_LEVELS,
            metavar="LEVEL",
            panel=Panel.INDEX,
        ),
    ]
    shards: Annotated[
        int | None, _setting("shards", "Primary shards of a new index in a cluster. [default: 3]")
    ]
    replicas: Annotated[
        int | None,
        _setting(
            "replicas", "Copies beside the primary shards. [default: as it has; new: 1 with a 2nd node]"
        ),
    ]
    refresh: Annotated[
        int | None,
        _setting("refresh", "Seconds until what is written is found. [default: as it has; new: 60]"),
    ]
    m: Annotated[
        int | None, _setting("m", "Edges of a node in a new index's HNSW graph, in a cluster. [default: 16]")
    ]
    ef_construction: Annotated[
        int | None, _setting("ef_construction", "Candidates for these edges. [default: 100]")
    ]


class CallbackOptions(TypedDict, total=False):
    """What a run tells, and what ends it. Callbacks are called from any thread, one call at a time."""

    stop: CancelToken | None
    """Ends the run early, within seconds, on request."""
    on_rejection: Callable[[Rejection], None] | None
    """Called with each rejection."""
    on_outcome: Callable[[RecordOutcome], None] | None
    """Called with what became of each record, as soon as it is known."""
    on_progress: Callable[[Progress], None] | None
    """Called with the progress."""
    show_progress: bool | None
    """Whether the progress is shown on stderr, or in a notebook below the cell; None: in a notebook or on a
    terminal, unless `on_progress` is given."""


class ProgressOptions(CallbackOptions, total=False):
    """What the counts of a run go by. Options that have these keys are such, whatever their default."""

    max_rejection_rate: float
    """Share of rejected records above which the run fails."""


class RunOptions(CallbackOptions, total=False):
    """Options of all runs that encode."""

    batch_size: Annotated[int, BATCH_SIZE_OPTION]
    workers: Annotated[
        int, Opt(FETCH_WORKERS, "Fetches at once.", minimum=1, maximum=256, metavar="N", panel=Panel.TUNING)
    ]
    allow_hosts: Annotated[Collection[str], ALLOW_HOSTS]
    public_hosts: Collection[str] | None
    """Further hosts to fetch from, at addresses of the public web only."""
    ignore_robots_tag: Annotated[
        bool,
        Opt(
            False,
            "Take also pictures that their server opts out by X-Robots-Tag: noai or noimageai.",
            panel=Panel.TUNING,
        ),
    ]
    cache: Annotated[
        AnyPath | None,
        Opt(
            None,
            "Where fetched pictures are kept. [default: your cache directory]",
            metavar="DIR",
            panel=Panel.TUNING,
        ),
    ]


class RetryOptions(RunOptions, total=False):
    """Options of `ImageIndex.retry`."""

    max_rejection_rate: Annotated[float, max_rejection_rate(1)]


class ReencodeOptions(RunOptions, SettingOptions, total=False):
    """Options of `ImageIndex.reencode`."""

    max_rejection_rate: Annotated[float, max_rejection_rate(MAX_REJECTION_RATE)]
    limit: Annotated[int | None, LIMIT]
    images: Annotated[
        AnyPath | None,
        Opt(
            None,
            "The pictures of web addresses, on disk as <id>.jpg, as in an ingest; none of them is fetched.",
            metavar="DIR",
        ),
    ]
    trust: Annotated[
        bool,
        Opt(
            False,
            "Read files of this machine also where the index doesn't know their bytes: of others' vectors.",
        ),
    ]
    keep_deleted: Annotated[
        bool,
        Opt(False, "Leave documents in the new index that were deleted from the old one. Otherwise they go."),
    ]
    confirm: Callable[[str, int], bool] | None
    """Called with the old index and a number of documents before all or most of the new one's are removed."""
    dry_run: Annotated[bool, DRY_RUN]
    rate: Annotated[float | None, _of_dry_runs(RATE_OPTION)]
    picture_bytes: Annotated[int | None, _of_dry_runs(PICTURE_BYTES_OPTION)]


class AddOptions(RunOptions, SettingOptions, total=False):
    """Options of `ImageIndex.add`."""

    max_rejection_rate: Annotated[float, max_rejection_rate(MAX_REJECTION_RATE)]
    limit: Annotated[int | None, LIMIT]
    labels: Annotated[
        Labels | None,
        Opt(
            None,
            "Label each picture by the most probable of these, or of a file's lines; kept as fields: "
            "{where} label=dog, {where} 'p_dog>=0.8'. '' for none. [default: those of the last ingest]",
            metavar="LABEL,...",
        ),
    ]
    captioner: Annotated[
        AnyCaptioner | None,
        Opt(
            None,
            "Have pictures without a description described by this model, a folder or a name in the hub's "
            "cache: one of transformers' that gives texts for images, such as BLIP. [default: none; what "
            "one has written stays]",
            metavar="MODEL",
            flag="caption-model",
            panel=Panel.MODEL,
        ),
    ]
    detector: Annotated[
        AnyDetector | None,
        Opt(
            None,
            "Cut crops where this model finds something, at most 13 of a picture: a folder or a name in the "
            "hub's cache, one of transformers' that detects objects, such as DETR. '' for the grid. "
            "[default: pictures keep their crops, new ones get the grid's]",
            metavar="MODEL",
            flag="crop-model",
            panel=Panel.MODEL,
        ),
    ]
    detector_threshold: Annotated[
        float,
        Opt(
            DETECTOR_THRESHOLD,
            "The least score of what that model finds.",
            minimum=0.0,
            maximum=1.0,
            metavar="S",
            flag="crop-threshold",
            panel=Panel.MODEL,
        ),
    ]
    parts: Annotated[
        Collection[str],
        Opt(
            (),
            "Parts of pictures that get vectors of their own, for {targets}: captions, crops. With crops "
            "there are 14 times as many to encode. [default: those that the index has]",
            choices=PART_KINDS,
            metavar="KIND,...",
        ),
    ]


class ReadOptions(TypedDict, total=False):
    """How paths are read."""

    images: Annotated[
        AnyPath | None,
        Opt(
            None,
            "The dataset's pictures, on disk as <photo_id>.jpg; nothing is fetched.",
            metavar="DIR",
        ),
    ]
    texts: Annotated[
        bool, Opt(False, "Take the text files (.txt) of folders as well, each as a document by its words.")
    ]
    exclude: Annotated[
        Collection[str],
        Opt(
            (),
            "Leave out what fits in folders and archives, by name or by the path in there, as in a "
            ".gitignore: thumbs, '*.png', 'trash/**'; repeatable. The index keeps what it holds of it.",
            metavar="GLOB",
        ),
    ]
    captions: Annotated[
        AnyCaptions | None,
        Opt(
            None,
            "The pictures' descriptions: a JSON object of paths and texts, a photo.txt beside each "
            "photo.jpg, or a column of the dataset's photos or of a table; '' takes them away. [default: "
            "documents keep those that they have]",
            metavar="FILE.json|sidecar|COLUMN",
        ),
    ]
    url_column: Annotated[str | None, URL_COLUMN]
    id_column: Annotated[str | None, ID_COLUMN]
    frame_interval: Annotated[
        float | None,
        Opt(
            None,
            "Take a frame of a video every S seconds. [default: its key frames, at most one a second]",
            minimum=0.01,
            maximum=86400.0,
            metavar="S",
            panel=Panel.TUNING,
        ),
    ]


RAY = "ray"


class IngestOptions(AddOptions, ReadOptions, total=False):
    """Options of `ImageIndex.ingest`."""

    prune: Annotated[bool, Opt(False, "Remove documents of these paths whose record is not there any more.")]
    confirm: Callable[[str, int], bool] | None
    """Called with a path and a number of documents before `prune` removes all or most of them."""
    slice: Annotated[
        str | None,
        Opt(
            None,
            "The I-th of N parts of the records, for as many machines: 3/16. Together they are the whole.",
            metavar="I/N",
            panel=Panel.TUNING,
        ),
    ]
    on: Annotated[
        str | None,
        Opt(
            None,
            "Encode in processes of Ray: on this machine, or on the cluster at RAY_ADDRESS. {workers} is how "
            "many at once, at most one for each CPU; an embedded index takes 4.",
            choices=(RAY,),
            metavar="ray",
            panel=Panel.TUNING,
        ),
    ]
    dry_run: Annotated[bool, DRY_RUN]
    rate: Annotated[float | None, _of_dry_runs(RATE_OPTION)]
    picture_bytes: Annotated[int | None, _of_dry_runs(PICTURE_BYTES_OPTION)]


class ManifestOptions(ReadOptions, total=False):
    """Options of `write_manifest`."""

    records: Annotated[
        int,
        Opt(
            MANIFEST_PART_RECORDS,
            "Records in a file.",
            minimum=1,
            maximum=100_000,
            metavar="N",
        ),
    ]
    limit: Annotated[int | None, LIMIT]


def read_options(options: ReadOptions) -> dict[str, Any]:
    """Those of `ReadOptions`, as `sources.open_source` takes them."""
    return {name: value for name, value in options.items() if name in ReadOptions.__annotations__}


OF_AN_INDEX = (
    *SettingOptions.__annotations__,
    *("prune", "confirm", "on", "dry_run", "rate", "picture_bytes"),
)
"""Options of an ingest that have no meaning where pictures are only encoded."""


def idle_options(options: IngestOptions | ReencodeOptions) -> list[str]:
    """The names of given options that are for a dry run, where it is none."""
    given = {"rate": options["rate"], "picture_bytes": options["picture_bytes"]}
    return [] if options["dry_run"] else [name for name, value in given.items() if value is not None]


def refuse_idle_options(options: IngestOptions | ReencodeOptions) -> None:
    """Raise `ValueError` for one that is for a dry run, where it is none."""
    if idle := idle_options(options):
        raise ValueError(f"{idle[0]} goes with dry_run; give that too")
