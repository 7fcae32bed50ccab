"""Where each Azure cloud has its services.

Source: Microsoft Learn, "Azure Government and global Azure services" and "Azure China developer guide". The
audience for storage is the same in all of them.
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

    @property
    def arm_scope(self) -> str:
        """The scope of a token for ARM."""
        return f"{self.arm}/.default"


ENDPOINTS = {
    Cloud.PUBLIC: Endpoints(
        "https://management.azure.com", "https://login.microsoftonline.com", "core.windows.net"
    ),
    Cloud.US_GOVERNMENT: Endpoints(
        "https://management.usgovcloudapi.net", "https://login.microsoftonline.us", "core.usgovcloudapi.net"
    ),
    Cloud.CHINA: Endpoints(
        "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn", "core.chinacloudapi.cn"
    ),
}
