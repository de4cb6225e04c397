"""Keys behind the keystore port (S7): files here, hardware later."""
