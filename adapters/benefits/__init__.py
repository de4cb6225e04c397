"""The family benefits administration: for now its sandbox; the gateway reaches it by its WSDL and a mapping."""
