"""Lists: pages, newest first, of what was made in some time and is like this or that."""
