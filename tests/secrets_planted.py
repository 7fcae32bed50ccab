"""Secrets that can be known again wherever they turn up, in every form in which people paste them."""

from __future__ import annotations

import base64

from hypothesis import strategies as st

FORMS = (
    "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={key};EndpointSuffix=core.windows.net",
    "BlobEndpoint=https://acct.blob.core.windows.net;SharedAccessSignature=sv=2022-11-02&ss=b&sig={word}",
    "https://acct.blob.core.windows.net/c/b?sv=2022-11-02&sig={word}&se=2030",
    "acct.blob.core.windows.net/c/b?sv=2022-11-02&sig={word}&se=2030",
    "https://user:{word}@host.example/path",
    "https://user:{word}/x@host.example/path",
    "https://user:{word}?x@host.example/path",
    "http://user:{word}@127.0.0.1:1",
    "user:{word}@host.example",
    "https://app.azurewebsites.net/api/groups?code={word}",
    "https://app.azurewebsites.net/api/groups?code={key}",
    "app.azurewebsites.net/api?code={word}",
    "Bearer {word}",
    "password={word}",
    'password: "{word}"',
    '{{"clientSecret": "{word}"}}',
    "{key}",
    "-----BEGIN PRIVATE KEY-----{word}",
)
"""Each holds a secret in the place of `{word}` or `{key}`."""


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, str]:
    """Return a text with a secret in it, and what must be seen of it nowhere."""
    word = "Pl4nted" + draw(st.text("abcdefghjkmnpqrstuvwxyzABCDEFGHJK0123456789", min_size=12, max_size=40))
    key = base64.b64encode(word.encode() + bytes(64 - len(word))).decode()
    # What is recognised is recognised in pieces, too: the first characters are enough to tell it.
    form = draw(st.sampled_from(FORMS))
    secret = word if "{word}" in form else key
    return form.format(word=word, key=key), secret[:12]


def seen(secret: str, *outputs: object) -> list[str]:
    """Return the outputs in which a secret shows, whatever its case."""
    return [text for text in map(str, outputs) if secret.casefold() in text.casefold()]
