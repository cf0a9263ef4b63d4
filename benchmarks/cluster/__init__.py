"""Benchmarks that need a cluster: start one with cluster/swathe-cluster; they are not part of `make bench`."""
