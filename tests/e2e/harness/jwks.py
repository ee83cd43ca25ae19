"""Verifies tokens as a backend would: by the public keys at /.well-known/jwks.json."""

import base64
import hashlib
import hmac
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

KEYS_PATH = "/.well-known/jwks.json"


def decode(text):
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decode(text), "big")


def fetch_keys(gate):
    response = gate.get(KEYS_PATH)
    assert response.status == 200, response
    keys = response.json()["keys"]
    assert not any({"d", "p", "q", "k"} & set(key) for key in keys), "only public members"
    return {key["kid"]: key for key in keys}


def verify_ed25519(key, signature, data):
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    ed25519.Ed25519PublicKey.from_public_bytes(decode(key["x"])).verify(signature, data)


def verify_es256(key, signature, data):
    assert (key["kty"], key["crv"]) == ("EC", "P-256") and len(signature) == 64
    numbers = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), ec.SECP256R1())
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    der = utils.encode_dss_signature(r, s)
    numbers.public_key().verify(der, data, ec.ECDSA(hashes.SHA256()))


def verify_rs256(key, signature, data):
    assert key["kty"] == "RSA"
    public = rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())


VERIFIERS = {"EdDSA": verify_ed25519, "ES256": verify_es256, "RS256": verify_rs256}


def verify(token, keys):
    """(header, claims) of a token that one of the keys has signed."""
    head, body, signature = token.split(".")
    header = json.loads(decode(head))
    key = keys[header["kid"]]
    assert key["alg"] == header["alg"] and key.get("use", "sig") == "sig"
    data = f"{head}.{body}".encode()
    VERIFIERS[header["alg"]](key, decode(signature), data)
    return header, json.loads(decode(body))


def is_signed(token, keys):
    try:
        verify(token, keys)
        return True
    except InvalidSignature:
        return False


def encode(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge_hs256(header, claims, secret):
    """A token that takes the bytes of a public key for a shared secret."""
    data = f"{encode({**header, 'alg': 'HS256'})}.{encode(claims)}"
    return f"{data}.{encode(hmac.new(secret, data.encode(), hashlib.sha256).digest())}"
