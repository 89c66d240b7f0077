"""Endpoints and files of the admin console."""
