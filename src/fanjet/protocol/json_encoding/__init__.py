"""The JSON encoding (01 §2.2), and the decoder of all received JSON."""
