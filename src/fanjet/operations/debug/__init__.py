"""What a running process is doing: pages for whoever looks for the reason why it is slow or large (10 D)."""
