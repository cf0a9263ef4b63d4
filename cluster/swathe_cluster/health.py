"""Whether the parts of a cluster do their work, asked as a client would."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

LOCAL = "127.0.0.1"
SECONDS = 3.0  # to wait for an answer
# A server that starts answers nothing, half of it, or something else; what it lacks by then is no object, or a null.
NO_ANSWER = (OSError, HTTPException, ValueError, LookupError, TypeError)
REPLY = 2  # type of a Thrift message that is no exception
TEXT, STRUCTURE = 11, 12  # types of Thrift's fields


def hdfs(ports: Mapping[str, int]) -> int:
    """Return how many DataNodes are alive; 0 if the NameNode is not operational, or in safe mode."""
    try:
        bean = _json(ports["namenode-http"], "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState")["beans"][0]
        return int(bean["NumLiveDataNodes"]) if bean["FSState"] == "Operational" else 0
    except NO_ANSWER:
        return 0


def yarn(ports: Mapping[str, int]) -> int:
    """Return how many NodeManagers run; 0 if the ResourceManager does not."""
    try:
        if _json(ports["rm-http"], "/ws/v1/cluster/info")["clusterInfo"]["state"] != "STARTED":
            return 0
        nodes = (_json(ports["rm-http"], "/ws/v1/cluster/nodes")["nodes"] or {}).get("node", [])
        return sum(node["state"] == "RUNNING" for node in nodes)
    except NO_ANSWER:
        return 0


def hbase(ports: Mapping[str, int]) -> int:
    """Return 1 if the Thrift server can tell whether a table exists, which a region server knows; else 0.

    The list of tables would come from the master alone, and its metrics lag behind by seconds. The call is written out:
    header, name, number, and the argument: a structure whose second field is the name of the table.
    """
    name, table = b"tableExists", b"health"
    header = struct.pack(">II", 0x80010001, len(name)) + name + bytes(4)
    call = header + struct.pack(">BHBHI", STRUCTURE, 1, TEXT, 2, len(table)) + table + bytes(2)
    try:
        with socket.create_connection((LOCAL, ports["thrift"]), SECONDS) as server:
            server.sendall(call)
            head = server.recv(4, socket.MSG_WAITALL)
            server.recv(4 + len(name) + 4, socket.MSG_WAITALL)
            field = server.recv(3, socket.MSG_WAITALL)  # 0: the answer, 1: an error
    except OSError:
        return 0
    return int(head[3:] == bytes([REPLY]) and field[1:] == bytes(2))


def _json(port: int, path: str) -> Any:
    with urlopen(f"http://{LOCAL}:{port}{path}", timeout=SECONDS) as answer:
        return json.load(answer)
