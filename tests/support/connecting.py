"""Made-up keys, a certificate, and clients with them."""

from __future__ import annotations

import ssl
import subprocess

from support.programs import needs

import esms_frames as ef

KEY, SECRET = "made-up-key", "made-up-secret"


def connect(script, **options):
    return ef.Client(KEY, SECRET, base_url=script.url, **options)


def certificate(folder, name):
    made = [needs("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    made += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
