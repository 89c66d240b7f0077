"""The other nodes of the cluster: registry, control messages, surveys (07 §14)."""
