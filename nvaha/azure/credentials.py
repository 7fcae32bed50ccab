"""Who the monitor is to Azure: a managed identity, or a service principal from the `AZURE_*` variables.

azure.identity costs a quarter of a second to import, which an app on a connection string need not pay before
its first probe; hence the late imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nvaha.azure.clouds import ENDPOINTS
from nvaha.config.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


def arm_credential(settings: Settings) -> AsyncTokenCredential:
    """Return the credential for ARM; `AZURE_CLIENT_ID` names a user-assigned identity."""
    return _default_credential(settings, None)


def storage_credential(settings: Settings) -> AsyncTokenCredential:
    """Return the credential for a storage connection without a connection string."""
    storage = settings.storage
    if storage.managed_identity_only:
        from azure.identity.aio import ManagedIdentityCredential  # noqa: PLC0415 - see the module's docstring

        return ManagedIdentityCredential(client_id=storage.client_id)
    return _default_credential(settings, storage.client_id)


def _default_credential(settings: Settings, client_id: str | None) -> AsyncTokenCredential:
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - see the module's docstring

    authority = ENDPOINTS[settings.cloud].authority
    # What remains works without a person: environment, workload and managed identity, and, on a developer's
    # machine, the Azure CLIs.
    chosen = {"managed_identity_client_id": client_id} if client_id else {}
    return DefaultAzureCredential(
        authority=authority,
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_powershell_credential=True,
        **chosen,
    )
