"""Which processes a cluster has, and how Java is called for each."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = ("hdfs", "yarn", "hbase")
NEEDS = {"hdfs": (), "yarn": ("hdfs",), "hbase": ("hdfs",)}

JAVA = (
    "-XX:+UseSerialGC",  # a collector per processor is too much where 13 processes share two
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=64m",
    "-Xss512k",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
)
_OPENED = (
    *("java.io", "java.lang", "java.lang.reflect", "java.math", "java.net", "java.nio", "java.text", "java.util"),
    *("java.util.concurrent", "java.util.zip", "sun.nio.ch", "sun.security.util", "sun.security.x509"),
)
OPENED = tuple(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED)
HBASE = (
    "-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true",
    "--add-modules=jdk.unsupported",
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("jdk.internal.ref", "jdk.internal.util.random")),
    *(f"--add-exports=java.base/{name}=ALL-UNNAMED" for name in ("jdk.internal.misc", "sun.net.dns", "sun.net.util")),
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
)


@dataclass(frozen=True)
class Daemon:
    """One process."""

    name: str
    part: str  # which of PARTS it belongs to
    main: str  # Java class, below org.apache.hadoop
    heap: int  # MB; what suffices for a few thousand files, rows in the millions
    host: str = "127.0.0.1"
    on_demand: bool = False  # started by name alone
    after: str = ""  # part that must be healthy before it is started

    @property
    def kind(self) -> str:
        """Whose class path and settings it takes: "hadoop" or "hbase"."""
        return "hbase" if self.part == "hbase" else "hadoop"

    def command(self) -> list[str]:
        """Return what follows the class path on Java's command line."""
        start = ["start"] if self.part == "hbase" and self.name != "zookeeper" else []
        return [f"-Xmx{self.heap}m", f"org.apache.hadoop.{self.main}", *start]


def daemons(data_nodes: int) -> dict[str, Daemon]:
    """List all daemons in the order in which they are started.

    Args:
        data_nodes: How many DataNodes there are. A lone one listens on 127.0.0.1: some clients, that of `deltalake`
            among them, look for every DataNode at the address from which it reached the NameNode.

    Returns:
        Daemons by name.
    """
    first = 1 if data_nodes == 1 else 2
    listed = [
        Daemon("namenode", "hdfs", "hdfs.server.namenode.NameNode", 192),
        *(
            Daemon(f"datanode-{n + 1}", "hdfs", "hdfs.server.datanode.DataNode", 160, f"127.0.0.{first + n}")
            for n in range(data_nodes)
        ),
        Daemon("resourcemanager", "yarn", "yarn.server.resourcemanager.ResourceManager", 256),
        *(
            Daemon(f"nodemanager-{n + 1}", "yarn", "yarn.server.nodemanager.NodeManager", 192, f"127.0.0.{2 + n}")
            for n in range(2)
        ),
        Daemon("zookeeper", "hbase", "hbase.zookeeper.HQuorumPeer", 96),
        Daemon("master", "hbase", "hbase.master.HMaster", 384, after="hdfs"),
        Daemon("regionserver-1", "hbase", "hbase.regionserver.HRegionServer", 768, after="hdfs"),
        Daemon("regionserver-2", "hbase", "hbase.regionserver.HRegionServer", 768, after="hdfs", on_demand=True),
        Daemon("thrift", "hbase", "hbase.thrift2.ThriftServer", 192, after="hdfs"),
    ]
    return {daemon.name: daemon for daemon in listed}


def stop_order(daemon: Daemon) -> int:
    """Return its place among those that are stopped: what depends on others goes first."""
    order = ("thrift", "regionserver", "master", "zookeeper", "nodemanager", "resourcemanager", "datanode", "namenode")
    return order.index(daemon.name.partition("-")[0])
