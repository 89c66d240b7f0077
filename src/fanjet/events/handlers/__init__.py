"""The application in the same process: plain async functions that answer events."""
