"""Certificates made with openssl when they are first asked for."""

import ssl
import subprocess


class Pair:
    """A self-signed certificate and its key, for `names`."""

    def __init__(self, folder, stem, names):
        self.certificate = folder / f"{stem}.crt"
        self.key = folder / f"{stem}.key"
        make(self.certificate, self.key, names)

    def settings(self):
        return {"certificate": str(self.certificate), "key": str(self.key)}

    def client_context(self, alpn=("http/1.1",)):
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.set_alpn_protocols(list(alpn))
        return context

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(self.certificate), str(self.key))
        return context


def make(certificate, key, names, days=30):
    alternatives = ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-subj", f"/CN={names[0].lstrip('*.')}", "-days", str(days)]
        + ["-addext", f"subjectAltName={alternatives}"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
