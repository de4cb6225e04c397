"""What an operator sees: meters, snapshots, history, facts, alarms, metrics."""
