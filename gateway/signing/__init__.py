"""Step 2 and step 8: signatures over messages, REST (RFC 9421) and SOAP (WS-Security), verified strictly."""
