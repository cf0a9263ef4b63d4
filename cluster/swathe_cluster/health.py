"""Whether the parts of a cluster do their work, asked as a client would."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any
from urllib.request import urlopen

LOCAL = "127.0.0.1"
SECONDS = 3.0  # to wait for an answer
REPLY = 2  # type of a Thrift message that is no exception


def hdfs(ports: Mapping[str, int]) -> int:
    """Return how many DataNodes are alive; 0 if the NameNode is not operational, or in safe mode."""
    try:
        bean = _json(ports["namenode-http"], "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState")["beans"][0]
    except (OSError, ValueError, LookupError):
        return 0
    return int(bean["NumLiveDataNodes"]) if bean["FSState"] == "Operational" else 0


def yarn(ports: Mapping[str, int]) -> int:
    """Return how many NodeManagers run; 0 if the ResourceManager does not."""
    try:
        if _json(ports["rm-http"], "/ws/v1/cluster/info")["clusterInfo"]["state"] != "STARTED":
            return 0
        nodes = (_json(ports["rm-http"], "/ws/v1/cluster/nodes")["nodes"] or {}).get("node", [])
    except (OSError, ValueError, LookupError):
        return 0
    return sum(node["state"] == "RUNNING" for node in nodes)


def hbase(ports: Mapping[str, int]) -> int:
    """Return 1 if the Thrift server lists the tables, for which it must reach master and region server; else 0.

    The metrics of the master lag behind by seconds, so that it is asked for what clients need. The call is written out:
    header, name, number, and of the arguments the second, a flag, which says that system tables do not count.
    """
    name = b"getTableNamesByPattern"
    call = struct.pack(">II", 0x80010001, len(name)) + name + struct.pack(">IBHBB", 0, 2, 2, 0, 0)
    try:
        with socket.create_connection((LOCAL, ports["thrift"]), SECONDS) as server:
            server.sendall(call)
            head = server.recv(4, socket.MSG_WAITALL)
            server.recv(4 + len(name) + 4, socket.MSG_WAITALL)
            field = server.recv(3, socket.MSG_WAITALL)  # 0: the tables, 1: an error
    except OSError:
        return 0
    return int(head[3:] == bytes([REPLY]) and field[1:] == bytes(2))


def _json(port: int, path: str) -> Any:
    with urlopen(f"http://{LOCAL}:{port}{path}", timeout=SECONDS) as answer:
        return json.load(answer)
