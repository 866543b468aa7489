"""Whose certificates are believed, and why one was not, as a sentence."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi

__all__ = ["distrust", "trust"]

# What OpenSSL calls them (x509_vfy.h), and what is to be done.
_REMEDIES = {
    **dict.fromkeys((9, 10), "renew it, or set this machine's clock"),
    **dict.fromkeys(
        (18, 19, 20, 21),
        "if it, or who has signed it, is your own, name that certificate in ca_file of [webhooks] in the configuration",
    ),
    **dict.fromkeys((62, 64), "call the server by a name that its certificate holds"),
}


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """The system's certificate authorities, the bundled ones, and the operator's own. Raises `OSError`."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except ssl.SSLError:
            raise OSError(f"webhooks.ca_file: {ca_file} holds no certificate in PEM form") from None
        except OSError as error:
            raise OSError(f"webhooks.ca_file: {ca_file} cannot be read: {error.strerror}") from None
    return context


def distrust(error: BaseException | None) -> str | None:
    """Why the other side's certificate was refused; None: the error is about something else."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLCertVerificationError):
            why = error.verify_message.strip().rstrip(".")
            remedy = _REMEDIES.get(error.verify_code)
            return f"its certificate is refused: {why}" + (f"; {remedy}" if remedy else "")
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
