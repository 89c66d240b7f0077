"""Forms of a Redis shard: a standalone server, a Sentinel-managed primary or a cluster, with their replicas."""
