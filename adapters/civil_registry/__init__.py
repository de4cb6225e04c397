"""The civil registry (DEC): the SOAP adapter, and a sandbox that is a real server."""
