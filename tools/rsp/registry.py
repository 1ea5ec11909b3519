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


def placed(rows, bases):
    """The addresses of an entity at the base URLs its processes have: one row per replica, in the order they are to be tried."""
    paths = []
    for row in rows:
        path = (row["interface"], urlsplit(row["url"]).path)
        if path not in paths:
            paths.append(path)
    return [{"interface": interface, "url": base + path} for interface, path in paths for base in bases]


def write_registry(staging, folder):
    """What everybody imports. An entity without a process here keeps its addresses as they are."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for entity, record in staging.entities.items():
        bases = [i.url() for i in staging.instances.values() if i.entity == entity]
        if bases:
            record = dict(record, urls=placed(record.get("urls", []), bases))
        with open(os.path.join(folder, entity + ".json"), "w") as f:
            json.dump(record, f, indent=1)
