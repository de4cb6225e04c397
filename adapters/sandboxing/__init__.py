"""What the sandboxes share, which are other organisations' systems: their listeners, switches and counters."""
