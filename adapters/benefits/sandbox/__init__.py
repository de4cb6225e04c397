"""A sandbox of the benefits administration's SOAP service for notices: a real server with a database of its own."""
