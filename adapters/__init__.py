"""Adapters: a folder per outside system, each with its adapter and its sandbox.

Shared by them: soap.py (SOAP over mutual TLS) and resilience.py (deadline, retries, bulkhead, breaker).
"""
