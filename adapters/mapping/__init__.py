"""Systems by mapping: another's WSDL or OpenAPI document as received, a mapping.yaml beside it, and no code (C2).

What lives here: reading both, and turning canonical messages into theirs and back, without network and without keys.
"""
