"""The command `swathe-cluster`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from swathe_cluster.cluster import Cluster, ClusterError, launch, with_needs
from swathe_cluster.daemons import PARTS

FOLDER = Path(__file__).resolve().parents[2] / "build" / "cluster"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Those of the command line if not given.

    Returns:
        Exit code.
    """
    options = _parser().parse_args(arguments)
    cluster = Cluster(options.folder.absolute())
    try:
        _check(getattr(options, "parts", ()))
        return int(options.run(cluster, options) or 0)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing runs", file=sys.stderr)
        return 130


def _up(cluster: Cluster, options: argparse.Namespace) -> None:
    state = cluster.state()
    if state is None:
        keeper = launch(cluster.folder, options.parts, options.datanodes, print)
        if keeper.stdin is not None:
            keeper.stdin.write(b"stay")
            keeper.stdin.close()
    else:
        parts = with_needs(options.parts)
        wanted = [one.name for one in cluster.daemons.values() if one.part in parts and not one.on_demand]
        cluster.start(*(name for name in wanted if name not in state["pids"]))
    _addresses(cluster)


def _addresses(cluster: Cluster) -> None:
    for name, count in cluster.health().items():
        if count:
            print(f"{name:16} {cluster.addresses[name]}")
    print(f"{'webhdfs':16} {cluster.addresses['webhdfs']}")
    print(f"HADOOP_CONF_DIR  {cluster.configuration}")


def _status(cluster: Cluster, _: argparse.Namespace) -> int:
    state = cluster.state()
    if state is None:
        print(f"no cluster runs in {cluster.folder}")
        return 3
    for name in cluster.daemons:
        print(f"{name:16} {state['pids'].get(name, '-')}")
    _addresses(cluster)
    return 0


def _down(cluster: Cluster, options: argparse.Namespace) -> None:
    if options.delete:
        cluster.delete()
    else:
        cluster.stop()


def _kill(cluster: Cluster, options: argparse.Namespace) -> None:
    cluster.kill(options.name, signal.Signals[f"SIG{options.signal}"], containers=options.containers)


def _start(cluster: Cluster, options: argparse.Namespace) -> None:
    cluster.start(*options.name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="swathe-cluster", description="HDFS, YARN and HBase on this machine.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="data, logs, settings (default: %(default)s)")
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("up", help="start, wait until all is healthy, say where it listens")
    up.add_argument("parts", nargs="*", metavar="PART", help="hdfs, yarn, hbase (default: all)")
    up.add_argument("--datanodes", type=int, help="3 by default, on 127.0.0.2 and after; a lone one is on 127.0.0.1")
    up.set_defaults(run=_up)
    commands.add_parser("status", help="say what runs and where").set_defaults(run=_status)
    down = commands.add_parser("down", help="stop all; the data stay")
    down.add_argument("--delete", action="store_true", help="delete the data too")
    down.set_defaults(run=_down)
    kill = commands.add_parser("kill", help="kill a daemon, or make it hang")
    kill.add_argument("name")
    kill.add_argument("--signal", choices=("KILL", "STOP", "CONT", "TERM"), default="KILL")
    kill.add_argument("--containers", action="store_true", help="of a NodeManager: kill its containers too")
    kill.set_defaults(run=_kill)
    start = commands.add_parser("start", help="start a daemon again, or regionserver-2")
    start.add_argument("name", nargs="+")
    start.set_defaults(run=_start)
    return parser


def _check(parts: Sequence[str]) -> None:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ClusterError(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
