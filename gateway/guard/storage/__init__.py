"""The guard's tables, a file for each kind: claims and first refusals, budgets.

What lives here: SQL, and what a crash leaves. What may not: what is claimed or counted, and why.
"""

from gateway.guard.storage.budgets import DatabaseBudgets
from gateway.guard.storage.claims import DatabaseClaims

__all__ = ["DatabaseBudgets", "DatabaseClaims"]
