"""Where each Azure cloud has its services.

Source: Microsoft Learn, "Azure Government and global Azure services" and "Azure China developer guide". The
audience for storage is the same in all of them. Event Grid: azure-facts F1.
"""

from __future__ import annotations

from dataclasses import dataclass

from nvaha.config.settings import Cloud

STORAGE_SCOPE = "https://storage.azure.com/.default"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One cloud's addresses, without trailing slashes."""

    arm: str
    authority: str
    storage_suffix: str
    event_grid: str

    @property
    def arm_scope(self) -> str:
        """The scope of a token for ARM."""
        return f"{self.arm}/.default"

    @property
    def event_grid_scope(self) -> str:
        """The scope of a token for Event Grid, which is named as the domain of its topics is."""
        return f"https://{self.event_grid}/.default"


ENDPOINTS = {
    Cloud.PUBLIC: Endpoints(
        "https://management.azure.com",
        "https://login.microsoftonline.com",
        "core.windows.net",
        "eventgrid.azure.net",
    ),
    Cloud.US_GOVERNMENT: Endpoints(
        "https://management.usgovcloudapi.net",
        "https://login.microsoftonline.us",
        "core.usgovcloudapi.net",
        "eventgrid.azure.us",
    ),
    Cloud.CHINA: Endpoints(
        "https://management.chinacloudapi.cn",
        "https://login.chinacloudapi.cn",
        "core.chinacloudapi.cn",
        "eventgrid.azure.cn",
    ),
}
