"""The load generator behind `fanjet bench`.

It speaks the client protocol (contract chapter 01) and the HTTP API with any server, and reads its CPU time and memory
from /proc; it imports nothing of the server. Principles, in order of importance:

- The generator must cost less than the server: raw protocols, prebuilt frames, messages counted by a marker in the
  payload instead of parsed, only a few subscribers read every timestamp.
- CPU is the time used by the server's processes and threads between two moments, so a figure does not depend on the
  generator's speed. Server and generator are pinned to different cores.
- Publisher and subscribers live in one process, so latencies come from one clock.
"""
