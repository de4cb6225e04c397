"""Keys behind the keystore port (S7): in files, in a PKCS #11 token, or in another process that has them.

What lives here: keys by name and generation, how they are made, certified, published and used. What may not: what is
signed with them; and nowhere a way out for a key.
"""
