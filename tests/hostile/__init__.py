"""What hostile and broken peers do to a running server: nothing, but to themselves."""
