"""A second reader of the sealwax format, written from docs/format.md alone.

`python reader.py DIR` reads every `*.vector` in DIR. A vector that expects success must open to exactly its values and,
where it gives the writer's random bytes, its tokens must come out again byte for byte; a vector that expects a failure
must fail with exactly that class. Wraps are opened by the stock `age` command: the one the environment variable AGE
names, else the one in PATH.
"""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAX_VALUE, MAX_DEPTH, MAX_READERS, MAX_WRAP = 1 << 20, 64, 64, 8192
SHORT = r"[a-z2-7]{8}"
KEY_ID = r"[a-z2-7]{51}[aq]"  # 52 characters hold 260 bits, of which the last four are unused and zero
LABEL = r"[a-z0-9][a-z0-9-]{0,62}@[a-z2-7]{20}"
BASE64 = r"[A-Za-z0-9+/]+={0,2}"
TOKEN = re.compile(rf"ENC\[wax1,(?:({SHORT}),({BASE64})|({KEY_ID}),({BASE64})((?:, {LABEL}:{BASE64})+))\]")
BOOLS = ("true", "false", "yes", "no", "on", "off")
TYPES = {  # of plain scalars, section 9
    "null": "~?|null|Null|NULL",
    "bool": "|".join([*BOOLS, *map(str.capitalize, BOOLS), *map(str.upper, BOOLS), *"yYnN"]),
    "int": r"[-+]?([0-9][0-9_]*|0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+)",
    "float": r"[-+]?(([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
             r"|\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN",
    "timestamp": r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?",
    "merge": "<<",
}


class ReadError(Exception):
    """A violation of the format. `failure` is its class (section 11)."""

    def __init__(self, failure: str, detail: str):
        super().__init__(f"{failure}: {detail}")
        self.failure = failure


def demand(condition: object, failure: str, detail: str) -> None:
    if not condition:
        raise ReadError(failure, detail)


# Documents: YAML and JSON become the same tree, in which scalars keep their source text.

@dataclass
class Node:
    kind: str  # scalar, mapping, list or alias
    type: str = ""  # of a scalar, by section 9
    text: str = ""
    plain: bool = False
    anchored: bool = False
    entries: list[tuple["Node", "Node"]] = field(default_factory=list)
    items: list["Node"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text.encode()  # raises ValueError for half a surrogate pair, which is no text

    def is_text(self) -> bool:
        return self.kind == "scalar" and self.type == "string"

    def get(self, key: str) -> "Node | None":
        return next((value for name, value in self.entries if name.is_text() and name.text == key), None)


def plain_type(text: str) -> str:
    return next((name for name, pattern in TYPES.items() if re.fullmatch(pattern, text)), "string")


def mapping(entries: list[tuple[Node, Node]], anchored: bool = False) -> Node:
    """Compares keys as text, whatever their style: programs differ on whether `1` and `"1"` are the same key."""
    keys = [key.text if key.kind == "scalar" else repr(key) for key, _ in entries]
    demand(len(set(keys)) == len(keys), "document", f"a key stands twice among {keys}")
    return Node("mapping", anchored=anchored, entries=entries)


class YamlTree:
    """Builds trees from parser events, because only they show anchors and aliases."""

    def __init__(self, text: str):
        self.events = yaml.parse(text, Loader=yaml.SafeLoader)
        self.anchors: dict[str, Node] = {}

    def documents(self) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors = {}
                yield self.node(next(self.events))

    def node(self, event: yaml.Event) -> Node:
        if isinstance(event, yaml.AliasEvent):
            demand(event.anchor in self.anchors, "document", f"the alias *{event.anchor} has no anchor")
            return self.anchors[event.anchor]
        anchored = event.anchor is not None
        if anchored:
            # A collection behind an alias is not followed: it cannot hold values, and it could hold itself.
            self.anchors[event.anchor] = Node("alias", anchored=True)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None and event.tag is None
            string = event.tag in (None, "!", "tag:yaml.org,2002:str")
            node = Node("scalar", plain_type(event.value) if plain else "string" if string else "tagged",
                        event.value, plain, anchored)
            if anchored:
                self.anchors[event.anchor] = node
            return node
        if isinstance(event, yaml.SequenceStartEvent):
            return Node("list", anchored=anchored, items=list(self.children(yaml.SequenceEndEvent)))
        nodes = list(self.children(yaml.MappingEndEvent))
        return mapping(list(zip(nodes[::2], nodes[1::2])), anchored)

    def children(self, end: type[yaml.Event]) -> Iterator[Node]:
        while not isinstance(event := next(self.events), end):
            yield self.node(event)


def json_node(value: object) -> Node:
    if isinstance(value, Node):  # a number or a mapping, made by a hook
        return value
    if isinstance(value, list):
        return Node("list", items=[json_node(item) for item in value])
    if isinstance(value, str):
        return Node("scalar", "string", value)
    demand(value is None or isinstance(value, bool), "document", f"{value} is no JSON")  # NaN, Infinity
    return Node("scalar", "null" if value is None else "bool", json.dumps(value), plain=True)


def parse(data: bytes, syntax: str) -> list[Node]:
    """The documents of a file. What cannot be parsed at all has no class of its own: it is a `document` failure."""
    try:
        text = data.decode()
        if syntax == "yaml":
            return list(YamlTree(text.removeprefix("\ufeff")).documents())
        demand(syntax == "json", "document", f"unknown syntax {syntax}")
        return [json_node(json.loads(
            text, object_pairs_hook=lambda pairs: mapping([(json_node(key), json_node(value)) for key, value in pairs]),
            parse_int=lambda source: Node("scalar", "int", source, plain=True),
            parse_float=lambda source: Node("scalar", "float", source, plain=True)))]
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ReadError("document", f"cannot be parsed: {error}") from error


# Keys, labels and wraps.

def strict_base64(text: str, failure: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ReadError(failure, f"base64: {error}") from error
    # Python ignores trailing bits that are not zero; writing the bytes again shows them.
    demand(base64.b64encode(data).decode() == text, failure, "base64 is not canonical")
    return data


def base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def derive(data_key: bytes, purpose: str) -> bytes:
    info = f"sealwax/1 {purpose}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(data_key)


BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32_decode(text: str) -> tuple[str, bytes]:
    """Does not check the checksum: `age` does."""
    prefix, _, rest = text.lower().rpartition("1")
    bits = "".join(f"{BECH32.index(c):05b}" for c in rest[:-6])
    return prefix, bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits) - 7, 8))


def bech32_encode(prefix: str, data: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in data)
    values = [int(bits[i:i + 5].ljust(5, "0"), 2) for i in range(0, len(bits), 5)]
    checksum = 1  # as in BIP 173
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values + [0] * 6:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    values += [(checksum ^ 1) >> shift & 31 for shift in (25, 20, 15, 10, 5, 0)]
    return prefix + "1" + "".join(BECH32[value] for value in values)


def recipient(identity: str) -> str:
    """The recipient of an age identity; how it follows is age's and not on the page (age-encryption.org/v1)."""
    prefix, secret = bech32_decode(identity)
    if prefix == "age-secret-key-":
        return bech32_encode("age", X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())
    if prefix == "age-secret-key-pq-":
        expanded = hashlib.shake_256(secret).digest(96)  # X-Wing: 64 bytes for ML-KEM-768, 32 for X25519
        lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key().public_bytes_raw()
        curve = X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()
        return bech32_encode("age1pq", lattice + curve)
    raise ValueError(f"an identity of another type: {prefix}")


class Reader:
    """One age identity, and the wraps it opens."""

    def __init__(self, identity: str):
        self.identity = identity
        self.fingerprint = base32(hashlib.sha256(recipient(identity).encode()).digest())[:20]

    def data_key(self, key_id: str, wraps: dict[str, bytes]) -> bytes:
        mine = [wrap for label, wrap in wraps.items() if label.endswith("@" + self.fingerprint)]
        demand(mine, "no-identity", f"no wrap of {key_id} is for this reader")
        key = self.unwrap(mine[0])
        demand(base32(derive(key, "key id")) == key_id, "key", f"the wrap does not hold {key_id}")
        return key

    def unwrap(self, wrap: bytes) -> bytes:
        demand(len(wrap) <= MAX_WRAP, "wrap", "longer than 8 KiB")
        demand(stanzas(wrap) == 1, "wrap", "not exactly one stanza")
        with tempfile.NamedTemporaryFile("w") as file:  # readable by its owner alone
            file.write(self.identity + "\n")
            file.flush()
            age = subprocess.run([os.environ.get("AGE", "age"), "-d", "-i", file.name], input=wrap, capture_output=True)
        demand(age.returncode == 0, "wrap", age.stderr.decode(errors="replace"))
        demand(len(age.stdout) == 32, "wrap", "does not hold 32 bytes")
        return age.stdout


def stanzas(wrap: bytes) -> int:
    """Counts the stanzas in the header of a binary age file, which ends with the line that starts with `---`."""
    lines = wrap.split(b"\n")
    demand(lines[0] == b"age-encryption.org/v1", "wrap", "not a binary age file")
    ends = [number for number, line in enumerate(lines) if line.startswith(b"---")]
    demand(ends, "wrap", "the age header has no end")
    return sum(line.startswith(b"-> ") for line in lines[:ends[0]])


# The key block and the place.

@dataclass
class Place:
    group: str
    kind: str
    encrypted_secret: bool


@dataclass
class Block:
    sealed_for: dict[str, str]
    key: str | None
    wraps: dict[str, bytes]


def place_of(root: Node) -> Place:
    version, kind = root.get("apiVersion"), root.get("kind")
    if not (version and kind and version.is_text() and kind.is_text() and version.text and kind.text):
        return Place("", "", False)
    group = version.text.partition("/")[0] if "/" in version.text else ""
    return Place(group, kind.text, (group, kind.text) == ("sealwax.dev", "EncryptedSecret"))


def read_block(root: Node, place: Place) -> Block | None:
    node = root.get("spec") if place.encrypted_secret else root.get("sealwax")
    if node is None and not place.encrypted_secret:
        return None
    demand(node and node.kind == "mapping", "block", "the key block is no mapping")
    fields = {"sealedFor", "key", "readers"} | ({"data"} if place.encrypted_secret else {"version"})
    unknown = [key.text for key, _ in node.entries if not (key.is_text() and key.text in fields)]
    demand(not unknown, "block", f"unknown fields: {unknown}")
    if not place.encrypted_secret:
        version = node.get("version")
        demand(version and version.kind == "scalar" and version.plain and version.text == "1", "block", "version")
    key, readers = node.get("key"), node.get("readers")
    demand((key is None) == (readers is None), "block", "of key and readers there is only one")
    block = Block(read_sealed_for(node.get("sealedFor")), None, {})
    if key is not None:
        demand(key.is_text() and re.fullmatch(KEY_ID, key.text), "block", "key is no key id")
        block.key, block.wraps = key.text, read_readers(readers, key.text)
    return block


def read_sealed_for(node: Node | None) -> dict[str, str]:
    demand(node and all(key.is_text() and value.is_text() for key, value in node.entries), "block", "sealedFor")
    sealed_for = {key.text: value.text for key, value in node.entries}
    demand(set(sealed_for) in ({"context"}, {"namespace", "name"}), "block", "the fields of sealedFor")
    demand("context" in sealed_for or all(sealed_for.values()), "block", "an empty pattern in sealedFor")
    return sealed_for


def read_readers(node: Node, key: str) -> dict[str, bytes]:
    demand(node.kind == "mapping" and 1 <= len(node.entries) <= MAX_READERS, "block", "readers")
    wraps = {}
    for label, value in node.entries:
        demand(label.is_text() and re.fullmatch(LABEL, label.text), "block", f"the label {label.text!r}")
        parts = value.is_text() and re.fullmatch(rf"({SHORT}):({BASE64})", value.text)
        demand(parts, "block", f"the entry of {label.text}")
        demand(parts[1] == key[:8], "mixed-keys", f"{label.text} has a wrap of {parts[1]}")
        wraps[label.text] = strict_base64(parts[2], "block")
    return wraps


def check_place(root: Node, place: Place, block: Block) -> None:
    demand(("context" in block.sealed_for) == (not place.kind), "place", "the block is for another sort of document")
    metadata = root.get("metadata")
    if not place.kind or metadata is None:
        return
    demand(metadata.kind == "mapping", "place", "metadata is no mapping")
    for part, pattern in block.sealed_for.items():
        stated = metadata.get(part)
        if stated is None or stated.type == "null":
            continue  # an omitted name is left to the cluster
        runs = ".*".join(re.escape(run) for run in pattern.split("*"))
        fits = stated.is_text() and re.fullmatch(runs, stated.text, re.DOTALL)
        demand(fits, "place", f"the {part} {stated.text!r} does not fit {pattern!r}")


# Tokens and values.

PathOf = tuple[str | int | None, ...]  # None for a key that is no string


@dataclass
class Token:
    document: int
    path: PathOf
    key_id: str
    sealed: bytes
    wraps: dict[str, bytes] | None  # None: the token uses the document key


@dataclass
class Value:
    token: Token
    type: int
    value: bytes
    presentation: bytes
    data_key: bytes
    binding: bytes


def lp(data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return len(data).to_bytes(4, "big") + data


def scalars(node: Node, path: PathOf, anchored: bool) -> Iterator[tuple[PathOf, Node, bool]]:
    anchored = anchored or node.anchored
    if node.kind == "scalar":
        yield path, node, anchored
    for key, value in node.entries:
        yield from scalars(value, path + (key.text if key.is_text() else None,), anchored)
    for number, item in enumerate(node.items):
        yield from scalars(item, path + (number,), anchored)


def in_block(path: PathOf, place: Place) -> bool:
    if place.encrypted_secret:
        return path[:1] == ("spec",) and path[1:2] in (("sealedFor",), ("key",), ("readers",))
    return path[:1] == ("sealwax",)


def parse_token(document: int, path: PathOf, text: str, block: Block) -> Token:
    match = TOKEN.fullmatch(text)
    demand(match, "token", f"not a token: {text[:60]!r}")
    short, short_sealed, key_id, own_sealed, tail = match.groups()
    sealed = strict_base64(short_sealed or own_sealed, "token")
    demand(len(sealed) >= 12 + 16, "token", "too short for a nonce and a tag")
    if short:
        demand(block.key, "block", "no document key for a token that needs it")
        demand(short == block.key[:8], "mixed-keys", f"a token of {short}")
        return Token(document, path, block.key, sealed, None)
    pairs = [pair.split(":") for pair in tail.split(", ")[1:]]
    labels = [label for label, _ in pairs]
    demand(len(labels) <= MAX_READERS, "token", "more than 64 labels")
    demand(labels == sorted(set(labels)), "token", "the labels are not in order, each once")
    return Token(document, path, key_id, sealed, {label: strict_base64(wrap, "token") for label, wrap in pairs})


def tokens(document: int, root: Node, place: Place, block: Block | None) -> list[Token]:
    found = []
    for path, node, anchored in scalars(root, (), False):
        if not node.text.startswith("ENC[") or block and in_block(path, place):
            continue
        if block is None:  # only a whole token says that a block is missing; other tools write ENC[ too
            demand(not TOKEN.fullmatch(node.text), "block", "a token in a document without a key block")
            continue
        demand(node.type != "tagged", "token", "a token with a tag")
        token = parse_token(document, path, node.text, block)
        demand(not anchored, "document", f"an anchor on {path} or around it")
        demand(len(path) <= MAX_DEPTH and None not in path, "document", f"the path {path}")
        inside = len(path) == 3 and path[:2] == ("spec", "data") and isinstance(path[2], str)
        demand(inside or not place.encrypted_secret, "place", f"a value at {path}")
        found.append(token)
    return found


def binding(token: Token, place: Place, sealed_for: dict[str, str]) -> bytes:
    parts = ["sealwax/1", token.key_id, place.group, place.kind]
    parts += [sealed_for.get(name, "") for name in ("namespace", "name", "context")]
    components = [b"\1" + lp(step) if isinstance(step, str) else b"\2" for step in token.path]
    return b"".join([lp(part) for part in parts] + [len(components).to_bytes(4, "big")] + components)


def padded_length(n: int) -> int:
    if n <= 64:
        return 64
    exponent = n.bit_length() - 1
    step = 32 if n <= 256 else 1 << exponent - exponent.bit_length()
    return -(-n // step) * step


def pack(type_: int, value: bytes, presentation: bytes) -> bytes:
    content = bytes([type_]) + lp(value) + lp(presentation)
    return content.ljust(padded_length(len(content)), b"\0")


def unpack(plaintext: bytes, encrypted_secret: bool) -> tuple[int, bytes, bytes]:
    stream = io.BytesIO(plaintext)
    type_ = int.from_bytes(stream.read(1), "big")
    value, presentation = (stream.read(int.from_bytes(stream.read(4), "big")) for _ in range(2))
    demand(type_ in ((1, 7) if encrypted_secret else range(1, 8)), "altered", f"the type {type_}")
    demand(len(value) <= MAX_VALUE, "altered", "longer than 1 MiB")
    try:
        if type_ != 7:
            value.decode()
    except UnicodeDecodeError as error:
        raise ReadError("altered", "a text that is not UTF-8") from error
    # Packed again, all lengths, the padding's length and its zeros must come out as they were.
    demand(pack(type_, value, presentation) == plaintext, "altered", "lengths or padding")
    return type_, value, presentation


def open_value(token: Token, place: Place, block: Block, data_key: bytes) -> Value:
    bound = binding(token, place, block.sealed_for)
    try:
        plaintext = AESGCM(derive(data_key, "value key")).decrypt(token.sealed[:12], token.sealed[12:], bound)
    except InvalidTag as error:
        raise ReadError("altered", f"{token.path}: altered, or sealed for another place") from error
    return Value(token, *unpack(plaintext, place.encrypted_secret), data_key, bound)


def read(data: bytes, syntax: str, reader: Reader) -> list[Value]:
    values = []
    for number, root in enumerate(parse(data, syntax)):
        place = place_of(root)
        block = read_block(root, place)
        if block:
            check_place(root, place, block)
        keys: dict[str, bytes] = {}
        for token in tokens(number, root, place, block):
            if token.wraps is not None:
                key = reader.data_key(token.key_id, token.wraps)
            else:
                key = keys.get(token.key_id) or reader.data_key(token.key_id, block.wraps)
                keys[token.key_id] = key
            values.append(open_value(token, place, block, key))
    return values


# The vectors.

def check_random(values: list[Value], random: bytes) -> str | None:
    """Seals the values again with the keys and nonces that the writer drew; says what came out differently."""
    stream, document, data_key = io.BytesIO(random), -1, b""
    for value in values:
        token = value.token
        if token.wraps is not None:
            data_key = stream.read(32)
        elif token.document != document:
            document, data_key = token.document, stream.read(32)
        nonce = stream.read(12)
        if len(nonce) != 12 or base32(derive(data_key, "key id")) != token.key_id:
            return f"random does not give the key of {token.path}"
        plaintext = pack(value.type, value.value, value.presentation)
        if nonce + AESGCM(derive(data_key, "value key")).encrypt(nonce, plaintext, value.binding) != token.sealed:
            return f"random does not give the token at {token.path}"
    return "random has more bytes than were used" if stream.read() else None


def value_line(line: str) -> tuple[int, list[str | int], int, bytes]:
    document, rest = line.split(" ", 1)
    path, type_, value = rest.rsplit(" ", 2)
    return int(document), json.loads(path), int(type_), base64.b64decode(value, validate=True)


def run_vector(path: Path) -> str | None:
    """What is wrong with the outcome of a vector; None if nothing is."""
    head, _, data = path.read_bytes().partition(b"\n\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\n")]
    fields, expected = dict(lines), [value_line(value) for name, value in lines if name == "value"]
    if unknown := set(fields) - {"expect", "syntax", "identity", "value", "random"}:
        return f"unknown fields {unknown}"
    try:
        values = read(data, fields["syntax"], Reader(fields["identity"]))
    except ReadError as error:
        return None if error.failure == fields["expect"] else f"expected {fields['expect']}, found {error}"
    found = [(v.token.document, list(v.token.path), v.type, v.value) for v in values]
    if fields["expect"] != "success":
        return f"expected {fields['expect']}, found {found}"
    if found != expected:
        return f"expected {expected}, found {found}"
    return check_random(values, bytes.fromhex(fields["random"])) if "random" in fields else None


def main(directory: str) -> int:
    vectors = sorted(Path(directory).glob("*.vector"))
    failed = 0
    for path in vectors:
        try:
            wrong = run_vector(path)
        except Exception as error:  # a fault of the vector or of this reader must not hide the other vectors
            wrong = repr(error)
        if wrong:
            failed += 1
            print(f"{path.stem}: {wrong}")
    print(f"{len(vectors) - failed} passed, {failed} failed")
    return 1 if failed or not vectors else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: reader.py DIR")
    sys.exit(main(sys.argv[1]))
