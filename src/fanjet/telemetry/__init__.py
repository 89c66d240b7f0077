"""What the process tells about itself."""
