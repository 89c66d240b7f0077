"""What several test folders share: server processes, a network that can be cut, tokens, Node and the browser."""
