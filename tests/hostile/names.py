"""Files that are no files, and names that break lines, terminals and commands."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace

from hostile.case import Allowed, Bench, Case, makers_of

MAKERS, maker = makers_of("names and files")
NAMES = (
    b"line\nbreak.tif",
    b"return\rhere.tif",
    b"escape\x1b[31mred.tif",
    b"quote'\"`.tif",
    b"per%cent%s%00%d.tif",
    b"{brace}{0}.tif",
    b"$(touch x);&|.tif",
    b"-o.tif",
    b"--help.tif",
    b" blank .tif",
    b"not-utf8-\xff\xfe.tif",
    "\u05e9\u05dc\u05d5\u05dd \u202egnp.tif".encode(),
    "\u732b\U0001f6a2.tif".encode(),
    "e\u0301.tif".encode(),
    b"a" * 250 + b".tif",
    b"[a]*?.tif",
    b"\\back\\slash.tif",
    b"comma,semi;colon:.tif",
    b"..tif",
    b".hidden.tif",
    b"tab\there.tif",
    b"CON.tif",
    b"@list.tif",
    b"https:.tif",
    b"\x7f.tif",
)


@maker
def good_scene(bench: Bench) -> Case:
    """A whole scene under a hostile name."""
    name = os.fsdecode(bench.chance.choice(NAMES))
    shutil.copy(bench.samples.scene, bench.folder / name)
    return bench.detect(bench.folder / name, f"named {name!r}", named=False)


@maker
def bad_scene(bench: Bench) -> Case:
    """A damaged scene under a hostile name: the message must still be one line."""
    name = os.fsdecode(bench.chance.choice(NAMES))
    (bench.folder / name).write_bytes(b"II*\0 no more")
    return bench.detect(bench.folder / name, f"damaged, named {name!r}", Allowed.NOTHING, named=False)


@maker
def in_folder(bench: Bench) -> Case:
    """A folder of scenes with hostile names, whole and damaged."""
    for number, raw in enumerate(bench.chance.sample(NAMES, 4)):
        path = bench.folder / "scenes" / os.fsdecode(raw)
        path.parent.mkdir(exist_ok=True)
        shutil.copy(bench.samples.scene, path) if number % 2 else path.write_bytes(b"no")
    case = bench.detect(bench.folder / "scenes", "a folder of hostile names", named=False)
    return replace(case, whole=bench.samples.finished)


@maker
def missing(bench: Bench) -> Case:
    """A name that does not exist."""
    name = os.fsdecode(bench.chance.choice((*NAMES, b"x/" * 2000, b"a" * 300, b"/dev/fd/99")))
    return bench.detect(bench.folder / name, f"missing {name[:60]!r}", named=False)


@maker
def nul(bench: Bench) -> Case:
    """A NUL byte in a name, as a program may pass it on."""
    option = bench.chance.choice(("source", "model", "store", "output"))
    scene, model, store = str(bench.samples.scene), str(bench.samples.model), str(bench.folder / "found")
    if option == "output":
        words: tuple[str, ...] = ("query", str(bench.samples.store), "-o", "a\0b.geojson")
    else:
        names = {"source": scene, "model": model, "store": store} | {option: "a\0b.tif"}
        words = ("detect", names["source"], "-m", names["model"], "-o", names["store"], "--workers", "0")
    return Case(f"NUL byte in the name of the {option}", words, Allowed.NOTHING)


@maker
def no_file(bench: Bench) -> Case:
    """Something that is no file under the name of a scene."""
    kind = bench.chance.choice(("folder", "fifo", "loop", "dangling", "socket", "zero", "random", "self", "null"))
    path = bench.folder / "scene.tif"
    targets = {"loop": "scene.tif", "dangling": "nowhere.tif", "zero": "/dev/zero", "random": "/dev/urandom"}
    targets |= {"self": "/proc/self/mem", "null": "/dev/null"}
    if kind in targets:
        path.symlink_to(targets[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    source = bench.chance.choice((path, bench.folder))
    return bench.detect(source, f"{kind} named scene.tif, given as {source.name}", Allowed.NOTHING, named=False)


@maker
def folder_loop(bench: Bench) -> Case:
    """Folders that contain themselves by symbolic links."""
    scenes = bench.folder / "scenes"
    (scenes / "one").mkdir(parents=True)
    for name in ("again", "more"):
        (scenes / "one" / name).symlink_to("..")
    shutil.copy(bench.samples.scene, scenes / "one" / "a.tif")
    source = bench.chance.choice((str(scenes), f"{scenes}/**/*.tif", f"{scenes}/*/*/*/*/*/*/*.tif"))
    return bench.detect(source, f"a folder within itself, {source[-12:]}", named=False)


@maker
def pattern(bench: Bench) -> Case:
    """Patterns that match nothing, or are none."""
    text = bench.chance.choice(
        ("[", "**" * 50, "*?" * 200, "[!", "{a,b}", "/proc/*/mem", "/dev/[zfr]*", "~nobody/x", ".")
    )
    return bench.detect(text, f"pattern {text[:30]!r}", Allowed.NOTHING, named=False)


@maker
def list_of_sources(bench: Bench) -> Case:
    """A text file of sources that names itself, is none, or holds nonsense."""
    text = bench.chance.choice(
        (b"@list.txt\n", b"\0\0\0", b"\xff\xfe\n", b"", b"# nothing\n", b"a\n" * 10_000, b"x" * 10**6, b"/etc/passwd\n")
    )
    bench.write("list.txt", text)
    return bench.detect("@list.txt", f"list {text[:12]!r}", Allowed.NOTHING, named=False)


@maker
def hostile_output(bench: Bench) -> Case:
    """An output that cannot be one."""
    name = bench.chance.choice(
        (
            "/dev/full",
            "/dev/null",
            "/proc/x",
            "a" * 300,
            "no/such/folder/x",
            "/",
            ".",
            "",
            "x\ny",
            "\udcff",
            "/etc/passwd",
        )
    )
    words = ("query", str(bench.samples.store), "-o", name, "--format", "geojson")
    return Case(f"output {name[:20]!r}", words)


@maker
def hostile_store(bench: Bench) -> Case:
    """A store that is no folder, or no store."""
    path = bench.folder / "store"
    kind = bench.chance.choice(("fifo", "loop", "file", "empty folder", "zero", "socket"))
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to("store")
    elif kind == "file":
        path.write_bytes(b"x")
    elif kind == "empty folder":
        path.mkdir()
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    return bench.query(path, f"store is a {kind}", Allowed.NOTHING, culprit="store")
