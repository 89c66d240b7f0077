"""Debug endpoints: stacks, tasks, memory and CPU profiles of a running process (10 D)."""
