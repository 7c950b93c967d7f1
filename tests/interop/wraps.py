"""Opens every wrap of an encrypted file with the stock age command and compares the key's id with the one in the file.

`python wraps.py AGE FILE NAME=IDENTITY...` prints how many wraps of how many keys were opened; every wrap must be for
one of the names. Nothing here comes from sealwax.
"""

import base64
import hashlib
import hmac
import re
import subprocess
import sys
from collections.abc import Iterator

import yaml


def key_id(key: bytes) -> str:
    prk = hmac.new(bytes(32), key, hashlib.sha256).digest()
    okm = hmac.new(prk, b"sealwax/1 key id\x01", hashlib.sha256).digest()
    return base64.b32encode(okm).decode().rstrip("=").lower()


def scalars(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from scalars(value)
    elif isinstance(node, list):
        for value in node:
            yield from scalars(value)
    elif isinstance(node, str):
        yield node


def wraps(document: dict) -> Iterator[tuple[str, str, bytes]]:
    """Key id, label and wrap of the key block, then of every token with a key of its own."""
    block = document["sealwax"]
    for label, text in block["readers"].items():
        short, wrap = text.split(":")
        assert block["key"].startswith(short), "a wrap of another key"
        yield block["key"], label, base64.b64decode(wrap, validate=True)
    for scalar in scalars(document):
        if own := re.fullmatch(r"ENC\[wax1,(\w{52}),[^,]+((?:, [^,]+)+)\]", scalar):
            for entry in own[2][2:].split(", "):
                label, wrap = entry.split(":")
                yield own[1], label, base64.b64decode(wrap, validate=True)


def main(age: str, path: str, *identities: str) -> None:
    files = dict(pair.split("=", 1) for pair in identities)
    opened, keys = 0, set()
    with open(path, encoding="utf-8") as file:
        document = yaml.load(file, yaml.BaseLoader)
    for wanted, label, wrap in wraps(document):
        identity = files[label.split("@")[0]]
        run = subprocess.run([age, "-d", "-i", identity], input=wrap, stdout=subprocess.PIPE, check=True)
        assert len(run.stdout) == 32, f"{label}: {len(run.stdout)} bytes"
        assert key_id(run.stdout) == wanted, f"{label}: another key"
        opened, keys = opened + 1, keys | {wanted}
    print(f"{opened} wraps of {len(keys)} keys")


main(*sys.argv[1:])
