"""Who the monitor is to Azure: a managed identity, or a service principal from the `AZURE_*` variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from nvaha.azure.clouds import ENDPOINTS
from nvaha.config.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


def default_options(settings: Settings) -> dict[str, Any]:
    """Return how a DefaultAzureCredential, of either kind, is to look for an identity.

    What remains works without a person: environment, workload and managed identity, and, on a developer's
    machine, the Azure CLIs.
    """
    return {
        "authority": ENDPOINTS[settings.cloud].authority,
        "exclude_shared_token_cache_credential": True,
        "exclude_visual_studio_code_credential": True,
        "exclude_powershell_credential": True,
    }


def arm_credential(settings: Settings) -> AsyncTokenCredential:
    """Return the credential for ARM; `AZURE_CLIENT_ID` names a user-assigned identity."""
    return DefaultAzureCredential(**default_options(settings))


def storage_credential(settings: Settings) -> AsyncTokenCredential:
    """Return the credential for a storage connection without a connection string."""
    client_id = settings.storage.client_id
    if settings.storage.managed_identity_only:
        return ManagedIdentityCredential(client_id=client_id)
    # Given as None it would hide AZURE_CLIENT_ID.
    chosen = {"managed_identity_client_id": client_id} if client_id else {}
    return DefaultAzureCredential(**default_options(settings), **chosen)
