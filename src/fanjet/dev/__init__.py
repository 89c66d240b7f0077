"""The development server, `fanjet dev`.

It has settings that need no configuration file, and a demo page.
"""
