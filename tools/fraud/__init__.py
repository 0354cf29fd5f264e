"""The operators' command for what the platform decides against fraud."""
