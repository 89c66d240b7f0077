"""The protocol state machine of client sessions, for all transports.

Contract chapter 01.
"""
