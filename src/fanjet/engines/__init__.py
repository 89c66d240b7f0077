"""Engines: brokers, presence managers and controllers (contract chapter 07)."""
