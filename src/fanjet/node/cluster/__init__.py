"""The other nodes: who they are, what they are told and asked (07 §14)."""
