# SPDX-License-Identifier: Apache-2.0
"""The registry folder of a staging: one JSON file per entity, as `rspctl entity import` takes it (docs/integrate.md)."""
import json
import os


def read_registry(pki):
    """{entity: its record}, as rsp-certs wrote it."""
    folder = os.path.join(pki, "registry")
    entities = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name)) as f:
                entities[name[:-len(".json")]] = json.load(f)
    return entities


# Under which interfaces others reach an entity, by role.
INTERFACES = {
    "eum": ["EUM", "ES1"],
    "sm-sr": ["ES1", "ES3", "ES4", "ES4A", "ES7"],
    "sm-dp": ["ES2", "ES3"],
    "operator": ["ES2", "ES4"],
}


def addresses(record, bases_of):
    """URLs in the order they are to be tried: one per replica of who serves the interface."""
    return {name: ["%s/%s" % (base, name.lower()) for base in bases_of(name)] for role in record["roles"] for name in INTERFACES.get(role, [])}


def write_registry(staging, folder):
    """What everybody imports. An entity without a process here keeps its addresses as they are."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for entity, record in staging.entities.items():
        # Certificate files are named relative to the JSON file, which stands elsewhere now.
        files = [os.path.normpath(os.path.join(staging.pki, "registry", f)) for f in record["certificates"]]
        record = dict(record, certificates=files)
        if staging.bases(entity):
            record["addresses"] = addresses(record, lambda interface, entity=entity: staging.bases(entity, interface))
        with open(os.path.join(folder, entity + ".json"), "w") as f:
            json.dump(record, f, indent=1)
