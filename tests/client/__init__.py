"""Sessions on a fake transport, with the real hub, node, memory engine and codecs."""
