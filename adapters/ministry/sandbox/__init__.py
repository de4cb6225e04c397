"""A sandbox of the ministry's service for notices: a real server with a database of its own."""
