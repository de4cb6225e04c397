"""Every operation that the gateway offers, typed; made by `make contracts`, never by hand."""

from __future__ import annotations

from gateway.client.operations.batches import BatchesOperations
from gateway.client.operations.echo import EchoOperations
from gateway.client.operations.family import FamilyOperations
from gateway.client.operations.nirec import NirecOperations
from gateway.client.operations.placements import PlacementsOperations
from gateway.client.operations.registration_changes import RegistrationChangesOperations
from gateway.client.operations.registrations import RegistrationsOperations
from gateway.client.operations.subjects import SubjectsOperations
from gateway.client.operations.waitlist import WaitlistOperations

__all__ = ["Operations"]


class Operations(
    BatchesOperations,
    EchoOperations,
    FamilyOperations,
    NirecOperations,
    PlacementsOperations,
    RegistrationChangesOperations,
    RegistrationsOperations,
    SubjectsOperations,
    WaitlistOperations,
):
    """Every operation, one method each."""
