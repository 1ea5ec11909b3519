#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include what. docs/architecture.md shows the same table; a test compares them.

Usage: check-layers.py [ROOT]. Prints FILE:LINE of every include that breaks the table; exit 1 when there is one."""
import os
import re
import sys

# folder of common/ -> folders of common/ it may include besides itself
LAYERS = {
    "base": [],
    "sgp02": ["base"],
    "crypto": ["base", "sgp02"],
    "card": ["base", "sgp02", "crypto"],
    "soap": ["base", "sgp02"],
    "msg": ["base", "sgp02", "soap"],
    "http": ["base", "crypto"],
    "store": ["base", "sgp02"],
    "bus": ["base", "sgp02"],
    "auth": ["base", "sgp02", "crypto", "soap", "store"],
    "rpc": ["base", "sgp02", "crypto", "card", "soap", "msg", "http", "store", "bus", "auth"],
    "app": ["base", "sgp02", "crypto", "card", "soap", "msg", "http", "store", "bus", "auth", "rpc"],
}

# header (a name, or a folder ending in /) -> who may include it: a layer, a file, or services or tools
OWNERS = {
    "openssl/": ["crypto"],
    "xmlsec/": ["crypto"],
    "libxml/": ["soap", "common/crypto/xmldsig.c"],
    "microhttpd.h": ["http"],
    "gnutls/": ["http"],
    "curl/": ["http"],
    "libpq-fe.h": ["store"],
    "nats/": ["bus"],
    "jansson.h": ["rpc", "app", "services", "tools"],
    "smpp34.h": ["common/card/smpp.c"],
    "smpp34_structs.h": ["common/card/smpp.c"],
    "smpp34_params.h": ["common/card/smpp.c"],
    "smpp34_heap.h": ["common/card/smpp.c"],
    "pthread.h": ["base", "app", "http", "store", "bus", "rpc"],
    "signal.h": ["app", "common/base/fault.c", "tools"],
    "proto/": ["sgp02"],
}

# functions that only these may call
CALLS = {
    "getenv": ["app", "common/base/fault.c", "tools"],
    "secure_getenv": ["app", "common/base/fault.c", "tools"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)


def place(path):
    """(layer or top folder, service) of a file below the root."""
    parts = path.split("/")
    if parts[0] == "common" and len(parts) > 2:
        return parts[1], None
    if parts[0] == "services" and len(parts) > 2:
        return "services", parts[1]
    return parts[0], None


def owned(owners, path, layer):
    return path in owners or layer in owners


def check_include(path, kind, header):
    """Why this include is wrong, or None."""
    layer, service = place(path)
    for name, owners in OWNERS.items():
        if header == name or (name.endswith("/") and header.startswith(name)):
            return None if owned(owners, path, layer) else "%s belongs to %s" % (header, ", ".join(owners))
    if kind == "<":
        return None
    parts = header.split("/")
    if parts[0] == "common" and len(parts) > 2:
        if layer in LAYERS and parts[1] != layer and parts[1] not in LAYERS[layer]:
            return "%s may include %s, not %s" % (layer, ", ".join(LAYERS[layer]) or "libc alone", parts[1])
        return None
    if parts[0] == "services" and len(parts) > 2:
        if service is None:
            return "%s may not include a service" % layer
        return None if parts[1] == service else "service %s may not include service %s" % (service, parts[1])
    if not os.path.dirname(header):
        return "write the path from the root: %s" % header
    return None


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def check_file(root, path):
    layer, _ = place(path)
    if layer == "common" or (path.startswith("common/") and layer not in LAYERS):
        yield path, 1, "folder %s has no row in the table" % layer
        return
    with open(os.path.join(root, path), errors="replace") as f:
        text = f.read()
    for number, line in enumerate(text.split("\n"), 1):
        found = INCLUDE.match(line)
        why = check_include(path, found.group(1), found.group(2)) if found else None
        if why:
            yield path, number, why
    for number, line in enumerate(COMMENT.sub(blank, text).split("\n"), 1):
        for name in re.findall(r"\b(%s)\s*\(" % "|".join(CALLS), line):
            if not owned(CALLS[name], path, layer):
                yield path, number, "%s() belongs to %s" % (name, ", ".join(CALLS[name]))


def sources(root):
    """C files of the suite; tests may include anything."""
    for top in ("common", "services", "tools"):
        for folder, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    bad = [row for path in sources(root) for row in check_file(root, path)]
    for row in bad:
        print("%s:%d: %s" % row)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
