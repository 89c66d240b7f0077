"""The development server (`fanjet dev`): settings without a configuration file, and a demo page."""
