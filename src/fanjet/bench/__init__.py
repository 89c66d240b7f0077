"""The load generator behind `fanjet bench`.

It speaks the client protocol (contract chapter 01) and the server's HTTP API to any server, and reads what that server
spends from outside, in /proc; it imports nothing of the server. What it needs to be true, in order of weight:

- The generator must cost less than what it measures: raw protocols, prebuilt frames, messages counted by a mark in the
  payload instead of parsed, only a few subscribers read every timestamp.
- CPU is what the server's processes and threads used between two moments, so a figure does not depend on how fast the
  generator was. Server and generator are pinned to different cores.
- Publisher and subscribers live in one process, so latencies come from one clock.
"""
