"""Tests of nirec."""
