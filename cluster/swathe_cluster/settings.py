"""The configuration files of a cluster, and why each setting is what it is."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from xml.sax.saxutils import escape

from swathe_cluster.daemons import Daemon
from swathe_cluster.jars import ClusterError

Values: TypeAlias = Mapping[str, object]
LOCAL = "127.0.0.1"
PORTS = (
    *("namenode", "namenode-http"),
    *("rm", "rm-scheduler", "rm-tracker", "rm-admin", "rm-http"),
    *("zookeeper", "master", "master-http", "thrift", "thrift-http"),
    *("regionserver-1", "regionserver-1-http", "regionserver-2", "regionserver-2-http"),
)
BELOW_EPHEMERAL = (20000, 32000)  # no outgoing connection takes one of these while a daemon is about to
RESOURCE_MANAGER = "org.apache.hadoop.yarn.server.resourcemanager"
APPLICATIONS = "resourcemanager"  # folder of what is known of them
LOG4J = """log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
"""
LOG4J2 = """rootLogger.level=INFO
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
"""


@dataclass(frozen=True)
class Layout:
    """What stays the same as long as a cluster's data do: they name hosts and ports."""

    folder: Path
    data_nodes: int
    ports: Mapping[str, int]  # by the names of PORTS

    @classmethod
    def of(cls, folder: Path, data_nodes: int | None = None) -> Layout:
        """Take the layout of the data in a folder, or choose one for an empty folder.

        Args:
            folder: The cluster's folder.
            data_nodes: How many DataNodes there shall be; None for as many as there are, or 3.

        Returns:
            The layout.

        Raises:
            ClusterError: If the data were written with another number of DataNodes.
        """
        file = folder / "layout.json"
        if not file.exists():
            candidates = iter(random.sample(range(*BELOW_EPHEMERAL), 1000))
            free = (port for port in candidates if is_free(port))
            ports = {name: next(free) for name in PORTS}
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"data_nodes": data_nodes or 3, "ports": ports}))
        layout = cls(folder, **json.loads(file.read_text()))
        if data_nodes not in (None, layout.data_nodes):
            raise ClusterError(f"{folder} holds a cluster of {layout.data_nodes} DataNodes; start it without a number")
        return layout


def is_free(port: int) -> bool:
    """Tell whether nothing listens at a port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOCAL, port))
        except OSError:
            return False
    return True


def write_settings(folder: Path, name: str, sites: Mapping[str, Values]) -> Path:
    """Write a configuration folder, for HADOOP_CONF_DIR and the class path.

    Args:
        folder: The cluster's folder.
        name: Of the daemon, or "client".
        sites: Settings by the name of their file.

    Returns:
        The folder.
    """
    place = folder / "conf" / name
    # Some daemons look for these on the class path and die without; they may be empty.
    for empty in ("webapps/hdfs", "webapps/datanode", "hbase-webapps/master", "hbase-webapps/regionserver"):
        (place / empty).mkdir(parents=True, exist_ok=True)
    for file, values in sites.items():
        rows = "".join(
            f"  <property><name>{key}</name><value>{escape(_text(value))}</value></property>\n"
            for key, value in values.items()
        )
        (place / file).write_text(f'<?xml version="1.0"?>\n<configuration>\n{rows}</configuration>\n')
    (place / "log4j.properties").write_text(LOG4J)
    (place / "log4j2.properties").write_text(LOG4J2)
    return place


def write_spark_defaults(folder: Path) -> None:
    """Write what Spark needs to know of a cluster on loopback, for SPARK_CONF_DIR; the file beside the client's others.

    Args:
        folder: The cluster's folder.
    """
    java = f"-Djdk.net.hosts.file={folder / 'hosts'} -Djava.net.preferIPv4Stack=true"
    values = {
        "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": LOCAL,  # as the driver's own, which it may be
        "spark.driver.defaultJavaOptions": java,
        "spark.executor.defaultJavaOptions": java,
        "spark.yarn.am.extraJavaOptions": java,
        "spark.executor.instances": 2,
    }
    lines = (f"{key} {value}\n" for key, value in values.items())
    (folder / "conf" / "client" / "spark-defaults.conf").write_text("".join(lines))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def client_sites(layout: Layout) -> dict[str, Values]:
    """Return what clients and all daemons share: settings by the name of their file."""
    return {
        "core-site.xml": _core(layout),
        "hdfs-site.xml": _hdfs(layout),
        "yarn-site.xml": _yarn(layout),
        "capacity-scheduler.xml": CAPACITY_SCHEDULER,
        "hbase-site.xml": _hbase(layout),
    }


def daemon_sites(daemon: Daemon, layout: Layout) -> dict[str, Values]:
    """Return the settings of one daemon: the shared ones, and where it listens and keeps its data."""
    sites = client_sites(layout)
    data, name, host = layout.folder / "data" / daemon.name, daemon.name, daemon.host
    if name.startswith("datanode"):
        own = {
            "dfs.datanode.hostname": host,  # else every DataNode is known as 127.0.0.1
            "dfs.datanode.data.dir": data,
            **{f"dfs.datanode.{kind}address": f"{host}:0" for kind in ("", "http.", "ipc.")},
        }
        sites["hdfs-site.xml"] = {**sites["hdfs-site.xml"], **own}
    if name.startswith("nodemanager"):
        own = {
            "yarn.nodemanager.hostname": host,
            "yarn.nodemanager.local-dirs": data / "local",
            "yarn.nodemanager.log-dirs": data / "logs",
            **{
                f"yarn.nodemanager.{kind}": f"{host}:0"
                for kind in ("address", "localizer.address", "webapp.address", "collector-service.address")
            },
        }
        sites["yarn-site.xml"] = {**sites["yarn-site.xml"], **own}
    if name.startswith("regionserver"):
        own = {
            "hbase.regionserver.port": layout.ports[name],
            "hbase.regionserver.info.port": layout.ports[f"{name}-http"],
        }
        sites["hbase-site.xml"] = {**sites["hbase-site.xml"], **own}
    return sites


def _core(layout: Layout) -> Values:
    return {
        "fs.defaultFS": f"hdfs://{LOCAL}:{layout.ports['namenode']}",
        "hadoop.tmp.dir": layout.folder / "data" / "tmp",
        "hadoop.security.token.service.use_ip": True,
        "ipc.client.connect.retry.interval": 200,  # ms
        "ipc.client.connect.timeout": 3000,
    }


def _hdfs(layout: Layout) -> Values:
    return {
        "dfs.replication": min(2, layout.data_nodes),
        "dfs.blocksize": 4 << 20,  # so that a scene of a few megabytes has several blocks, on several hosts
        "dfs.namenode.rpc-address": f"{LOCAL}:{layout.ports['namenode']}",
        "dfs.namenode.http-address": f"{LOCAL}:{layout.ports['namenode-http']}",
        "dfs.namenode.name.dir": layout.folder / "data" / "namenode",
        "dfs.namenode.datanode.registration.ip-hostname-check": False,
        "dfs.client.use.datanode.hostname": True,
        "dfs.datanode.use.datanode.hostname": True,
        "dfs.namenode.safemode.extension": 0,
        "dfs.blockreport.initialDelay": 0,
        "dfs.namenode.replication.min": 1,
        "dfs.datanode.du.reserved": 0,
        # Faults are noticed in seconds: a killed DataNode is dead after 14, a hung one costs a reader 5.
        "dfs.heartbeat.interval": 1,
        "dfs.namenode.heartbeat.recheck-interval": 2000,
        "dfs.namenode.stale.datanode.interval": 4000,
        "dfs.namenode.avoid.read.stale.datanode": True,
        "dfs.namenode.redundancy.interval.seconds": 1,
        "dfs.client.socket-timeout": 5000,
        "dfs.datanode.socket.write.timeout": 10000,
    }


def _yarn(layout: Layout) -> Values:
    kinds = {
        "address": "rm",
        "scheduler.address": "rm-scheduler",
        "resource-tracker.address": "rm-tracker",
        "admin.address": "rm-admin",
        "webapp.address": "rm-http",
    }
    return {
        "yarn.resourcemanager.hostname": LOCAL,
        **{f"yarn.resourcemanager.{kind}": f"{LOCAL}:{layout.ports[name]}" for kind, name in kinds.items()},
        "yarn.resourcemanager.connect.retry-interval.ms": 500,  # 30 s otherwise
        "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": 250,
        "yarn.nm.liveness-monitor.expiry-interval-ms": 20000,  # a busy machine can stand still for seconds
        # It covers the localisation of the archives too: with 10 s applications are killed before they begin.
        "yarn.am.liveness-monitor.expiry-interval-ms": 60000,
        "yarn.resourcemanager.am.max-attempts": 2,
        # Applications live on when it is started again.
        "yarn.resourcemanager.recovery.enabled": True,
        "yarn.resourcemanager.store.class": f"{RESOURCE_MANAGER}.recovery.FileSystemRMStateStore",
        "yarn.resourcemanager.fs.state-store.uri": (layout.folder / "data" / APPLICATIONS).as_uri(),
        "yarn.scheduler.minimum-allocation-mb": 128,
        "yarn.nodemanager.resource.memory-mb": 4096,
        "yarn.nodemanager.resource.cpu-vcores": 8,
        "yarn.nodemanager.vmem-check-enabled": False,
        "yarn.nodemanager.pmem-check-enabled": True,
        # Hadoop 3.5 leaves killing to cgroups, which are not set up here: nothing would ever be killed for its memory.
        "yarn.nodemanager.resource.memory.enforced": False,
        "yarn.nodemanager.container-monitor.interval-ms": 1000,
        "yarn.nodemanager.env-whitelist": "JAVA_HOME,HADOOP_CONF_DIR,LANG",
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 98,
        "yarn.nodemanager.delete.debug-delay-sec": 0,
    }


CAPACITY_SCHEDULER: Values = {
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": 100,
    "yarn.scheduler.capacity.maximum-am-resource-percent": 0.5,
    "yarn.scheduler.capacity.resource-calculator": "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator",
    "yarn.scheduler.capacity.node-locality-delay": 40,
    "yarn.scheduler.capacity.per-node-heartbeat.multiple-assignments-enabled": False,  # spreads executors over nodes
}


def _hbase(layout: Layout) -> Values:
    return {
        "hbase.rootdir": f"hdfs://{LOCAL}:{layout.ports['namenode']}/hbase",
        "hbase.cluster.distributed": True,
        "hbase.tmp.dir": layout.folder / "data" / "hbase",
        "hbase.zookeeper.quorum": LOCAL,
        "hbase.zookeeper.property.clientPort": layout.ports["zookeeper"],
        "hbase.zookeeper.property.clientPortAddress": LOCAL,
        "hbase.zookeeper.property.dataDir": layout.folder / "data" / "zookeeper",
        "hbase.zookeeper.property.tickTime": 1000,
        "hbase.zookeeper.property.minSessionTimeout": 2000,
        "hbase.zookeeper.property.admin.enableServer": False,  # it would take port 8080
        # Who is not heard of for so long ends itself: a machine that stands still for seconds must not end HBase.
        "zookeeper.session.timeout": 20000,
        **{
            f"hbase.{kind}.{what}": LOCAL for kind in ("master", "regionserver") for what in ("hostname", "ipc.address")
        },
        **{f"hbase.{kind}.info.bindAddress": LOCAL for kind in ("master", "regionserver", "thrift")},
        "hbase.master.port": layout.ports["master"],
        "hbase.master.info.port": layout.ports["master-http"],
        "hbase.regionserver.thrift.ipaddress": LOCAL,
        "hbase.regionserver.thrift.port": layout.ports["thrift"],
        "hbase.thrift.info.port": layout.ports["thrift-http"],
        "hbase.thrift.server.socket.read.timeout": 300000,
        "hbase.master.wait.on.regionservers.mintostart": 1,
        "hbase.master.wait.on.regionservers.timeout": 1000,
        "hbase.master.wait.on.regionservers.interval": 250,
        "hbase.regionserver.hlog.blocksize": 64 << 20,  # logs roll by dfs.blocksize otherwise
        # Buffers of 2 MB for each region, of which tests make hundreds, would fill the heap of a region server.
        "hbase.hregion.memstore.mslab.enabled": False,
        "hbase.lease.recovery.first.pause": 500,
        "hbase.client.retries.number": 30,
        "hbase.client.pause": 50,
    }
