"""A real HDFS on loopback for tests: one NameNode and one DataNode, from published artifacts."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from requirements import need, need_program

VERSION = "3.5.0"
ARTIFACTS = ("hadoop-common", "hadoop-hdfs", "hadoop-hdfs-client")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "swathe" / f"hadoop-{VERSION}"
START_SECONDS = 120  # a busy machine takes long; an idle one is done in less than ten
NODES = "org.apache.hadoop.hdfs.server"
JAVA = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=64m",
    "-Xss512k",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
)
OPENED = ("lang", "lang.reflect", "io", "math", "net", "nio", "text", "util", "util.concurrent", "util.zip")


@dataclass(frozen=True)
class HdfsCluster:
    """A running HDFS that is empty but for what tests wrote."""

    address: str  # hdfs://127.0.0.1:port
    configuration: Path  # folder with core-site.xml and hdfs-site.xml, for HADOOP_CONF_DIR

    def put(self, path: str, data: bytes) -> str:
        """Write a file, and the folders above it, and return its address."""
        from hdfs_native import Client, WriteOptions

        with Client(self.address).create(path, WriteOptions(overwrite=True, create_parent=True)) as file:
            file.write(data)
        return self.address + path


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HdfsCluster]:
    """An HDFS for all tests of a process; each test uses a folder of its own."""
    need("hdfs_native")
    with start_hdfs(tmp_path_factory.mktemp("hdfs")) as cluster:
        yield cluster


@contextmanager
def start_hdfs(folder: Path) -> Iterator[HdfsCluster]:
    """Run a NameNode and a DataNode until the block ends.

    Args:
        folder: Where they keep their data, an empty one.

    Yields:
        Where they listen.
    """
    java, jars = need_program("java", "default-jre-headless"), hadoop_jars()
    rpc, http = _free_port(), _free_port()
    configuration = _configure(folder, rpc, http)
    (folder / "hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")  # Java asks no name server then
    path = os.pathsep.join(map(str, (configuration, *jars)))
    opened = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in OPENED]
    command = [java, *JAVA, *opened, f"-Djdk.net.hosts.file={folder / 'hosts'}", "-cp", path]
    name_node = [*command, "-Xmx192m", f"{NODES}.namenode.NameNode"]
    with ExitStack() as stack:
        _run([*name_node, "-format", "-nonInteractive"], folder, stack).wait()
        processes = [
            _run(name_node, folder, stack),
            _run([*command, "-Xmx160m", f"{NODES}.datanode.DataNode"], folder, stack),
        ]
        _wait(f"http://127.0.0.1:{http}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState", processes, folder)
        yield HdfsCluster(f"hdfs://127.0.0.1:{rpc}", configuration)


def hadoop_jars() -> list[Path]:
    """Return Hadoop's libraries, fetched by Maven if they are not there yet."""
    jars = CACHE / "jars"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            maven = need_program("mvn", "maven")
            dependencies = "".join(
                f"<dependency><groupId>org.apache.hadoop</groupId><artifactId>{name}</artifactId>"
                f"<version>{VERSION}</version></dependency>"
                for name in ARTIFACTS
            )
            (CACHE / "pom.xml").write_text(
                '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
                "<groupId>swathe</groupId><artifactId>hadoop</artifactId><version>1</version>"
                f"<dependencies>{dependencies}</dependencies></project>"
            )
            partial = CACHE / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
            subprocess.run([maven, "--batch-mode", "--quiet", *copy], cwd=CACHE, check=True)
            partial.rename(jars)
    return sorted(jars.glob("*.jar"))


def _configure(folder: Path, rpc: int, http: int) -> Path:
    """Write what the nodes and their clients are told."""
    configuration = folder / "configuration"
    for name in ("webapps/hdfs", "webapps/datanode"):  # the nodes want these folders, which may be empty
        (configuration / name).mkdir(parents=True)
    core = {"fs.defaultFS": f"hdfs://127.0.0.1:{rpc}", "hadoop.tmp.dir": str(folder / "data")}
    hdfs = {
        "dfs.replication": 1,
        "dfs.blocksize": 4 << 20,
        "dfs.namenode.http-address": f"127.0.0.1:{http}",
        "dfs.namenode.safemode.extension": 0,
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        "dfs.datanode.hostname": "127.0.0.1",
        **{f"dfs.datanode.{kind}address": "127.0.0.1:0" for kind in ("", "http.", "ipc.")},
        "dfs.blockreport.initialDelay": 0,
        "dfs.heartbeat.interval": 1,
        "dfs.datanode.du.reserved": 0,
        "dfs.client.use.datanode.hostname": "true",
    }
    for name, values in (("core-site.xml", core), ("hdfs-site.xml", hdfs)):
        properties = (f"<property><name>{key}</name><value>{value}</value></property>" for key, value in values.items())
        (configuration / name).write_text(f"<configuration>{''.join(properties)}</configuration>")
    return configuration


def _run(command: list[str], folder: Path, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Start a process that ends with the stack; what it says goes to a file."""
    log = stack.enter_context((folder / f"{command[-1]}.log").open("wb"))
    environment = {**os.environ, "HADOOP_HOME": str(folder), "MALLOC_ARENA_MAX": "2"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)  # what it holds goes with the test's folder
    process.wait()


def _wait(state: str, processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """Wait until the NameNode is operational and the DataNode has told it of itself."""
    for _ in range(START_SECONDS * 5):
        if any(process.poll() is not None for process in processes):
            break
        try:
            with urlopen(state, timeout=5) as answer:
                bean = json.load(answer)["beans"][0]
            if bean["FSState"] == "Operational" and bean["NumLiveDataNodes"] == 1:
                return
        except (OSError, IndexError, KeyError):
            pass  # it has not come that far
        time.sleep(0.2)
    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.log")))
    pytest.fail(f"HDFS did not start:\n{logs}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    hadoop_jars()
