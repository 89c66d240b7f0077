"""In-process event handlers: plain async functions of the application."""
