"""The Protobuf encoding (01 §2.3)."""
