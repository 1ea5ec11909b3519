# SPDX-License-Identifier: Apache-2.0
"""The registry folder of a staging: one JSON file per entity, as `rspctl entity import` takes it (docs/integrate.md)."""
import json
import os
from urllib.parse import urlsplit


def read_registry(pki):
    """{entity: its record}, as rsp-certs wrote it."""
    folder = os.path.join(pki, "registry")
    entities = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name)) as f:
                entities[name[:-len(".json")]] = json.load(f)
    return entities


def as_list(value):
    return [value] if isinstance(value, str) else value


def placed(addresses, bases):
    """The addresses of an entity at the base URLs its processes have, in the order they are to be tried."""
    return {interface: [base + path for path in dict.fromkeys(urlsplit(url).path for url in as_list(urls)) for base in bases]
            for interface, urls in addresses.items()}


def write_registry(staging, folder):
    """What everybody imports. An entity without a process here keeps its addresses as they are."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for entity, record in staging.entities.items():
        # Certificate files are named relative to the JSON file, which stands elsewhere now.
        files = [os.path.normpath(os.path.join(staging.pki, "registry", f)) for f in record["certificates"]]
        record = dict(record, certificates=files)
        bases = [i.url() for i in staging.instances.values() if i.entity == entity]
        if bases:
            record["addresses"] = placed(record.get("addresses", {}), bases)
        with open(os.path.join(folder, entity + ".json"), "w") as f:
            json.dump(record, f, indent=1)
