"""Reading the configuration from a blob."""

from __future__ import annotations

from contextlib import ExitStack

from azure.core.exceptions import AzureError, HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobClient

from nvaha.azure.credentials import default_options
from nvaha.config.settings import Settings

MAX_BYTES = 8 * 1024 * 1024


def read_text(url: str, settings: Settings) -> str:
    """Return the text of a blob, read with the app's identity or with the SAS that the URL carries.

    Raises:
        OSError: it could not be read; its text does not repeat the URL, which may carry a SAS.
    """
    try:
        with ExitStack() as open_things:
            credential = None
            if "sig=" not in url:
                credential = open_things.enter_context(DefaultAzureCredential(**default_options(settings)))
            blob = open_things.enter_context(
                BlobClient.from_blob_url(url, credential=credential, retry_total=2)
            )
            # One byte more than is allowed tells a blob that is too long from one that just fits.
            raw = blob.download_blob(length=MAX_BYTES + 1).readall()
    except HttpResponseError as error:
        raise OSError(0, f"storage answered {error.status_code}") from None
    except (AzureError, ValueError) as error:
        raise OSError(0, type(error).__name__) from None
    if len(raw) > MAX_BYTES:
        raise OSError(0, f"it is longer than {MAX_BYTES} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise OSError(0, "it is not UTF-8 text") from None
