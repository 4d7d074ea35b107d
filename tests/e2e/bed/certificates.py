"""One throw-away authority, the certificate of every server, and a key for service accounts."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.bed.ports import LOOPBACK

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificates:
    """Files in the private folder; valid for a day."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Locate the certificate of the authority."""
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """Locate the certificate of every server."""
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        """Locate its key; service account tokens are signed with it, too."""
        return self.folder / "server.key"

    def context(self) -> ssl.SSLContext:
        """Trust the authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca))


def make(folder: Path) -> Certificates:
    """Make an authority, sign one certificate, and forget the authority's key."""
    folder.mkdir(parents=True)
    made = Certificates(folder)
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _signed("tidegate bed", authority, "tidegate bed", authority, is_ca=True)
    leaf = _signed("server", server, "tidegate bed", authority, is_ca=False)
    made.ca.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return made


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    places = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        **dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        ),
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName(places), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
        .sign(by, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
