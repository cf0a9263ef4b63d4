"""Malicious VRT files: loops, chains, bombs, foreign files, code; places and reference systems that make no sense."""

from __future__ import annotations

from xml.sax.saxutils import escape

from hostile.case import Allowed, Bench, Case, makers_of

MAKERS, maker = makers_of("virtual rasters")
RECT = '<{0}Rect xOff="0" yOff="0" xSize="256" ySize="256"/>'
NONSENSE = ("nan", "inf", "-inf", "1e300", "-1e300", "1e-320", "0", "1e400", "one", "", "0x10", "9" * 400)
SYSTEMS = (
    "EPSG:999999",
    "EPSG:4978",
    "EPSG:5773",
    "EPSG:4326+5773",
    'LOCAL_CS["here",UNIT["smoot",1.7]]',
    'PROJCS["x"',
    'ENGCRS["site",EDATUM["e"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]',
    "+proj=gnom +lat_0=90",
    "+proj=utm +zone=99",
    "+proj=pipeline +step +proj=cart",
    "+init=/etc/passwd:root",
    "+proj=longlat +nadgrids=/etc/passwd",
    "[" * 50_000,
    "EPSG:" + "9" * 5000,
    "http://127.0.0.1:9/crs",
    "\u202eGSPE",
    "ESRI::",
    "IAU_2015:30100",
)


def vrt(bands: str, head: str = "", size: tuple[int, int] = (256, 256), prolog: str = "") -> str:
    """Write a VRT."""
    return f'{prolog}<VRTDataset rasterXSize="{size[0]}" rasterYSize="{size[1]}">{head}{bands}</VRTDataset>'


def band(sources: str, more: str = "", number: int = 1, dtype: str = "Byte") -> str:
    """Write a band."""
    return f'<VRTRasterBand dataType="{dtype}" band="{number}"{more}>{sources}</VRTRasterBand>'


def source(name: object, relative: int = 0, kind: str = "SimpleSource") -> str:
    """Write a source that covers the whole."""
    return (
        f'<{kind}><SourceFilename relativeToVRT="{relative}">{escape(str(name))}</SourceFilename>'
        f"<SourceBand>1</SourceBand>{RECT.format('Src')}{RECT.format('Dst')}</{kind}>"
    )


@maker
def names_itself(bench: Bench) -> Case:
    """A VRT whose source is itself."""
    path = bench.write("self.vrt", vrt(band(source("self.vrt", 1))))
    return bench.detect(path, "names itself", Allowed.NOTHING)


@maker
def names_each_other(bench: Bench) -> Case:
    """A ring of VRTs."""
    count = bench.chance.choice((2, 3, 50))
    for number in range(count):
        bench.write(f"ring{number}.vrt", vrt(band(source(f"ring{(number + 1) % count}.vrt", 1))))
    return bench.detect(bench.folder / "ring0.vrt", f"{count} that name each other in a ring", Allowed.NOTHING)


@maker
def chain(bench: Bench) -> Case:
    """A chain of VRTs, each the source of the next."""
    count = bench.chance.choice((20, 100, 400))
    for number in range(count):
        name = bench.samples.scene if number == count - 1 else f"link{number + 1}.vrt"
        bench.write(f"link{number}.vrt", vrt(band(source(name, 0 if number == count - 1 else 1))))
    return bench.detect(bench.folder / "link0.vrt", f"a chain of {count}")


@maker
def tree(bench: Bench) -> Case:
    """VRTs of VRTs, so that the work multiplies at every level."""
    depth, width = bench.chance.choice(((6, 10), (12, 4)))
    for level in range(depth):
        last = level == depth - 1
        name = bench.samples.scene if last else f"level{level + 1}.vrt"
        bench.write(f"level{level}.vrt", vrt(band(source(name, 0 if last else 1) * width)))
    return bench.detect(bench.folder / "level0.vrt", f"{width} sources at each of {depth} levels", Allowed.INTERRUPTED)


@maker
def many_sources(bench: Bench) -> Case:
    """A VRT of very many sources."""
    count = bench.chance.choice((1000, 100_000))
    name = bench.chance.choice((str(bench.samples.scene), "missing.tif"))
    text = vrt(band(source(name, int(name == "missing.tif")) * count))
    return bench.detect(bench.write("many.vrt", text), f"{count} sources, {name}", Allowed.INTERRUPTED)


@maker
def foreign_source(bench: Bench) -> Case:
    """A VRT that names what is none of its business."""
    name = bench.chance.choice(
        (
            "/etc/passwd",
            "/dev/zero",
            "/proc/self/environ",
            "/vsicurl/http://127.0.0.1:9/x.tif",
            "http://127.0.0.1:9/x.tif",
            "vrt:///vsistdin/",
            "/vsizip//etc/passwd",
            "/vsigzip//dev/zero",
            "/vsisubfile/0_100,/etc/passwd",
            "/vsistdin/",
            "/vsis3/no-such-bucket-here/x.tif",
            "/vsimem/nothing",
            "../../../../../../etc/shadow",
            "WMS:http://127.0.0.1:9/",
            'PG:"host=127.0.0.1 port=9"',
            "",
            "\n",
        )
    )
    return bench.detect(bench.write("foreign.vrt", vrt(band(source(name)))), f"source {name!r}", Allowed.NOTHING)


@maker
def raw_band(bench: Bench) -> Case:
    """A VRT that reads a foreign file as raw pixels."""
    name = bench.chance.choice(("/etc/passwd", "/dev/zero", "/dev/random", "/proc/self/mem", "/proc/self/environ"))
    body = (
        f'<SourceFilename relativeToVRT="0">{name}</SourceFilename><ImageOffset>0</ImageOffset>'
        "<PixelOffset>1</PixelOffset><LineOffset>256</LineOffset>"
    )
    text = vrt(band(body, ' subClass="VRTRawRasterBand"'))
    for word in ("subClass", "VRTRawRasterBand", "SourceFilename", "relativeToVRT"):
        text = text.replace(word, bench.chance.choice((word, word.lower(), word.upper())))
    path, copy = bench.write("raw.vrt", text), bench.folder / "copy.tif"
    if bench.chance.random() < 0.5:
        words = ("convert", str(path), "-o", str(copy))
        return Case(f"raw pixels of {name}, converted", words, Allowed.NOTHING, path.name, (copy,))
    return bench.detect(path, f"raw pixels of {name}", Allowed.NOTHING)


@maker
def python_code(bench: Bench) -> Case:
    """A VRT with code in it."""
    code = f"import pathlib\ndef run(*a, **k):\n    pathlib.Path({str(bench.folder / 'code-was-run')!r}).touch()\n"
    body = (
        "<PixelFunctionType>run</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
        f"<PixelFunctionCode>{escape(code)}</PixelFunctionCode>{source(bench.samples.scene)}"
    )
    path = bench.write("code.vrt", vrt(band(body, ' subClass="VRTDerivedRasterBand"')))
    case = bench.detect(path, "Python code in a pixel function", Allowed.NOTHING)
    return Case(case.what, case.words, case.allowed, case.culprit, (*case.outputs, bench.folder / "code-was-run"))


@maker
def pixel_function(bench: Bench) -> Case:
    """A VRT with functions of GDAL's own, sensible and not."""
    name = bench.chance.choice(("sum", "mul", "no_such_function", "dB", "inv", "", "expression", "interpolate_linear"))
    body = f"<PixelFunctionType>{name}</PixelFunctionType>{source(bench.samples.scene) * 3}"
    path = bench.write("function.vrt", vrt(band(body, ' subClass="VRTDerivedRasterBand"', dtype="Float64")))
    return bench.detect(path, f"pixel function {name!r}")


@maker
def entities(bench: Bench) -> Case:
    """XML entities that grow without end, or read files."""
    grow = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    prolog = bench.chance.choice(
        (
            f'<!DOCTYPE x [<!ENTITY e0 "lol">{grow}]>',
            '<!DOCTYPE x [<!ENTITY e9 SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        )
    )
    return bench.detect(bench.write("bomb.vrt", vrt(band(source("&e9;")), prolog=prolog)), prolog[:60], named=False)


@maker
def deep(bench: Bench) -> Case:
    """Elements nested very deep."""
    depth = bench.chance.choice((1000, 30_000, 300_000))
    path = bench.write("deep.vrt", vrt(band("<a>" * depth + "</a>" * depth)))
    return bench.detect(path, f"{depth} elements deep")


@maker
def huge(bench: Bench) -> Case:
    """A VRT that declares an enormous size, or very many bands."""
    size = bench.chance.choice(((2**31 - 1, 2**31 - 1), (10**6, 10**6), (2**31, 2**31), (-5, 10), (0, 0), (10**8, 1)))
    bands = bench.chance.choice((1, 1, 1, 70_000))
    text = vrt("".join(band("", number=number + 1) for number in range(bands)), size=size)
    return bench.detect(bench.write("huge.vrt", text), f"{size[0]} x {size[1]} px, {bands} bands", Allowed.INTERRUPTED)


@maker
def windows(bench: Bench) -> Case:
    """Source and target rectangles that make no sense."""
    number = bench.chance.choice(NONSENSE)
    text = vrt(band(source(bench.samples.scene).replace('xSize="256"', f'xSize="{number}"', 1)))
    return bench.detect(bench.write("windows.vrt", text), f"a source of {number} columns", Allowed.INTERRUPTED)


@maker
def transform(bench: Bench) -> Case:
    """A transform that places the scene nowhere."""
    numbers = ["9500000", "0.5", "0", "3200000", "0", "-0.5"]
    for _ in range(bench.chance.choice((1, 2, 6))):
        numbers[bench.chance.randrange(6)] = bench.chance.choice(NONSENSE)
    head = f"<SRS>EPSG:3857</SRS><GeoTransform>{', '.join(numbers)}</GeoTransform>"
    path = bench.write("placed.vrt", vrt(band(source(bench.samples.scene)), head))
    return bench.detect(path, f"transform {numbers}")


@maker
def reference_system(bench: Bench) -> Case:
    """A reference system that is none, or none of the ground."""
    name = bench.chance.choice(SYSTEMS)
    head = f"<SRS>{escape(name)}</SRS><GeoTransform>100, 0.5, 0, 100, 0, -0.5</GeoTransform>"
    path = bench.write("system.vrt", vrt(band(source(bench.samples.scene)), head))
    return bench.detect(path, f"reference system {name[:40]!r}")


@maker
def control_points(bench: Bench) -> Case:
    """Ground control points that lie on one spot, on a line, nowhere, or are very many."""
    count = bench.chance.choice((1, 2, 3, 4, 10, 5000))
    number = bench.chance.choice((*NONSENSE, "{0}", "7"))
    points = "".join(
        f'<GCP Id="{n}" Pixel="{number.format(n)}" Line="{n % 3 * 50}" X="{number.format(n % 5)}" Y="1"/>'
        for n in range(count)
    )
    head = f'<GCPList Projection="EPSG:4326">{points}</GCPList>'
    path = bench.write("points.vrt", vrt(band(source(bench.samples.scene)), head))
    return bench.detect(path, f"{count} control points with {number!r}")


@maker
def table_of_colours(bench: Bench) -> Case:
    """Colours, nodata values and scales beyond all ranges."""
    number = bench.chance.choice((*NONSENSE, "-1", "70000", "99999999999"))
    body = (
        f'<ColorInterp>Palette</ColorInterp><ColorTable><Entry c1="{number}" c2="0" c3="{number}" c4="0"/></ColorTable>'
        f"<NoDataValue>{number}</NoDataValue><Scale>{number}</Scale>{source(bench.samples.scene)}"
    )
    return bench.detect(bench.write("colours.vrt", vrt(band(body))), f"colours and nodata of {number!r}")
