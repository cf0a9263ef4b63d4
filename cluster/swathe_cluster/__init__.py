"""HDFS, YARN and HBase as real processes on loopback, from published Java artifacts; the standard library alone."""

from swathe_cluster.cluster import Cluster, ClusterError, running

__all__ = ["Cluster", "ClusterError", "running"]
