"""What the application decides about its clients: the interface, and the proxies that ask a backend."""
