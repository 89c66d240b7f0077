"""Debug endpoints of a running process.

They show stacks, tasks, memory and CPU profiles (10 D).
"""
