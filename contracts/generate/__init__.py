"""What is made from a contract: XSD, WSDL, OpenAPI, examples, reference pages; and the pages of errors (C2).

Pure functions of contracts and the table of errors, which is passed in: nothing here reads the gateway, and only
``__main__`` reads and writes files.
"""
