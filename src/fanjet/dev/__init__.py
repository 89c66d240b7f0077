"""What `fanjet dev` adds to the server: settings that need no configuration file, and a page to try it on."""
