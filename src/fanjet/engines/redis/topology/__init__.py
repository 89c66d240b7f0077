"""Forms of a Redis shard, with their replicas.

A standalone server, a Sentinel-managed primary or a cluster.
"""
