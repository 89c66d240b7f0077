"""The JSON encoding (01 §2.2), and the decoder of all JSON that others send."""
