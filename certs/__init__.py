"""Certificate profiles, the development PKI, trust stores, paths and revocation; never a private key here."""
