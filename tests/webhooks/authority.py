"""A certificate authority of one's own, and servers' certificates by it: good ones and bad ones."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Authority"]

DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey


class Authority:
    """Its certificate lies at `path`."""

    def __init__(self, directory: Path, name: str = "ours") -> None:
        self._directory = directory
        self._name = _named(f"{name} authority")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._made = 0
        self.path = directory / f"{name}.pem"
        self.path.write_bytes(_pem(self._certificate(self._name, self._key.public_key(), (), 1, authority=True)))

    def server(self, *names: str, days: int = 1, self_signed: bool = False) -> ssl.SSLContext:
        """A context for a server. `days`: until its certificate ends; it began four days before."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(names[0])
        signer = (subject, key) if self_signed else (self._name, self._key)
        certificate = self._certificate(subject, key.public_key(), names, days, signer=signer)
        self._made += 1
        file = self._directory / f"server{self._made}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + _pem(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _certificate(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        names: tuple[str, ...],
        days: int,
        *,
        authority: bool = False,
        signer: tuple[x509.Name, Key] | None = None,
    ) -> x509.Certificate:
        by, key = signer or (self._name, self._key)
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(by, subject, public, x509.random_serial_number())
            .not_valid_before(now - 4 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        return builder.sign(key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
