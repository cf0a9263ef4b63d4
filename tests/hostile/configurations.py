"""Training configurations and options that make no sense."""

from __future__ import annotations

from hostile.case import GRID, Allowed, Bench, Case, makers_of
from hostile.damage import damaged
from hostile.samples import configuration, to_toml

MAKERS, maker = makers_of("configurations")
OPTIONS, option = makers_of("options")
VALUES = (
    "-1",
    "0",
    "nan",
    "inf",
    "1e400",
    "1e308",
    "10" * 50,
    '"x"',
    "[]",
    "{}",
    "true",
    "1979-05-27",
    '""',
    "[[]]",
    "-0.0",
    '"\\u0000"',
)
NONSENSE = (
    "-1",
    "0",
    "nan",
    "inf",
    "1e400",
    "9" * 400,
    "x",
    "",
    ",",
    "1,,2",
    "\u0661",
    "-0",
    "1e-320",
    "\n",
    "0x10",
    "\udcff",
)


def _train(bench: Bench, content: bytes | str, what: str, allowed: Allowed = Allowed.VALID) -> Case:
    path = bench.write("train.toml", content)
    return Case(what[:200], ("train", str(path), "--check"), allowed, outputs=(bench.folder / "out",))


@maker
def values(bench: Bench) -> Case:
    """A value of a wrong type or size."""
    sections = configuration(bench.samples)
    lines = sections[bench.chance.choice(sorted(sections))]
    row, value = bench.chance.randrange(len(lines)), bench.chance.choice(VALUES)
    lines[row] = f"{lines[row].split(' =')[0]} = {value}"
    return _train(bench, to_toml(sections), lines[row])


@maker
def keys(bench: Bench) -> Case:
    """A key is unknown, missing or given twice, a section of another kind."""
    sections = configuration(bench.samples)
    name = bench.chance.choice(sorted(sections))
    lines, way = sections[name], bench.chance.choice(("unknown", "missing", "twice", "section", "list"))
    if way == "unknown":
        lines.append(bench.chance.choice(("colour = 1", '"" = 1', '"a\\nb" = 1', "a.b.c = 1", '"__class__" = 1')))
    elif way == "missing":
        lines.pop(0)
    elif way == "twice":
        lines.append(lines[0])
    else:
        sections["[colour]" if way == "section" else f"[{name}]".replace("[[[", "[").replace("]]]", "]")] = (
            sections.pop(name)
        )
    return _train(bench, to_toml(sections), f"{name} {way}")


@maker
def text(bench: Bench) -> Case:
    """A configuration is damaged anywhere."""
    data, what = damaged(to_toml(configuration(bench.samples)).encode(), bench.chance)
    return _train(bench, data, what)


@maker
def no_configuration(bench: Bench) -> Case:
    """A configuration that is none, or nested without end."""
    content = bench.chance.choice(
        (
            b"",
            bytes(100),
            b"\xff\xfe",
            b"a = " + b"[" * 100_000,
            b"a." * 20_000 + b"b = 1",
            b"x = 1e999999999",
            b"[" * 5000,
        )
    )
    return _train(bench, content, f"{len(content)} bytes {content[:10]!r}", Allowed.NOTHING)


@maker
def paths(bench: Bench) -> Case:
    """Paths that lead nowhere, in a ring, or to what is no file."""
    (bench.folder / "ring").symlink_to("ring")
    path = bench.chance.choice(
        (str(bench.folder / "ring"), "/dev/zero", "/etc/passwd", "nowhere", "/proc", "", "a" * 5000, "x\\ny")
    )
    sections, key = configuration(bench.samples), bench.chance.choice(("labels", "images"))
    sections["[[train]]"] = [f'{key} = "{path}"' if line.startswith(key) else line for line in sections["[[train]]"]]
    return _train(bench, to_toml(sections), f"{key} = {path[:40]}", Allowed.NOTHING)


@option
def detect(bench: Bench) -> Case:
    """A nonsense value of an option of `detect`."""
    name = bench.chance.choice(
        (
            "--tile",
            "--stride",
            "--scales",
            "--min-score",
            "--merge-iou",
            "--classes",
            "--bands",
            "--workers",
            "--backend",
            "--value-range",
        )
    )
    value = bench.chance.choice((*NONSENSE, "1000000", "2147483648", "1e-9", "1e9", "0.5," * 2000 + "1"))
    output = bench.folder / "found"
    words = [
        "detect",
        str(bench.samples.scene),
        "-m",
        str(bench.samples.model),
        "-o",
        str(output),
        *GRID,
        f"{name}={value}",
    ]
    if name == "--workers" and value in {"1000000", "2147483648"}:
        words[-1] = "--workers=-7"
    return Case(f"{name}={value[:30]!r}", tuple(words), Allowed.INTERRUPTED, outputs=(output,))


@option
def query(bench: Bench) -> Case:
    """A nonsense value of an option of `query`."""
    name = bench.chance.choice(
        (
            "--box",
            "--min-score",
            "--classes",
            "--scene",
            "--limit",
            "--near",
            "--acquired",
            "--length",
            "--width",
            "--azimuth",
            "--area",
            "--areas",
            "--run",
        )
    )
    values = [bench.chance.choice((*NONSENSE, "1e300", "180", "91")) for _ in range(4 if name == "--box" else 1)]
    more = (name, *values) if name == "--box" else (f"{name}={values[0]}",)
    return bench.query(bench.samples.store, " ".join(more)[:80], Allowed.VALID, *more)


@option
def plan(bench: Bench) -> Case:
    """A nonsense value of an option of `plan`."""
    name = bench.chance.choice(("--tile", "--stride", "--scales", "--memory"))
    value = bench.chance.choice((*NONSENSE, "1000000", "2147483648", "1e-9", "1e9"))
    return Case(
        f"plan {name}={value[:30]!r}", ("plan", str(bench.samples.scene), f"{name}={value}"), Allowed.INTERRUPTED
    )


@option
def words(bench: Bench) -> Case:
    """Words that are no command."""
    pool = (
        "detect",
        "query",
        "-o",
        "--",
        "-m",
        "x",
        "--json",
        "",
        "\0",
        "\n",
        "--help=1",
        "-",
        "@",
        "\udc80",
        "draw",
        "--tile",
    )
    chosen = [bench.chance.choice(pool) for _ in range(bench.chance.randrange(1, 6))]
    return Case(f"{chosen}", tuple(chosen), may_be_unknown=True)
