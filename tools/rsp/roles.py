# SPDX-License-Identifier: Apache-2.0
"""The processes of a staging and their configuration: environment variables only (docs/operate.md)."""
import os

CARDS_URI = "/ram"


class Role:
    """One kind of process. own(staging, instance): the variables beyond the common ones, without prefix. bus: its domain has NATS, where this is
    the certificate that names it."""

    def __init__(self, folder, prefix, own, northbound=False, bus=None):
        self.folder, self.prefix, self.own, self.northbound, self.bus = folder, prefix, own, northbound, bus

    @property
    def program(self):
        return os.path.join("services", self.folder, self.folder)


class Instance:
    """One process: which role, for which entity, which replica."""

    def __init__(self, name, role, entity, database, domain, replica=1):
        self.name, self.role, self.entity, self.database, self.domain, self.replica = name, role, entity, database, domain, replica
        self.child = None
        self.ports = {}
        self.hosts = {}  # by listener, where it is not on loopback

    def url(self, listener="partner"):
        scheme = "http" if listener == "management" else "https"
        return "%s://%s:%d" % (scheme, self.hosts.get(listener, "127.0.0.1"), self.ports[listener])


def eum(staging, instance):
    return {
        "KEK_FILE": os.path.join(staging.pki, "eum", "kek.key"),
        "SIGN_KEY": os.path.join(staging.pki, "eum", "eum.key"),
        "SIGN_CERT": os.path.join(staging.pki, "eum", "eum.pem"),
        "CI_CA": os.path.join(staging.pki, "ci", "ci.pem"),
        "TRANSPORT_KEYS": os.path.join(staging.pki, "transport"),
        "BATCH_DIR": staging.private_folder("batches"),
    }


def sm_sr(staging, instance):
    values = {
        "KEK_FILE": os.path.join(staging.pki, instance.entity, "kek.key"),
        "CI_CA": os.path.join(staging.pki, "ci", "ci.pem"),
        "CI_CRL": os.path.join(staging.pki, "ci", "ci.crl"),
        "TRANSPORT_KEYS": os.path.join(staging.pki, "transport"),
        "CARDS_PORT": str(instance.ports.get("cards", 0)),
        "CARDS_URI": CARDS_URI,
        "CARDS_HOST": "127.0.0.1",
    }
    if staging.balanced(instance):
        values["CARDS_PUBLIC_PORT"] = str(staging.balancer.ports["cards"])
    if staging.cards:
        values.update(staging.cards.esme(instance.entity))
    return values


def handover(staging, instance):
    """It acts for its SM-SR: same certificates, same KEK."""
    pki = os.path.join(staging.pki, instance.entity)
    return {
        "KEK_FILE": os.path.join(pki, "kek.key"),
        "SIGN_KEY": os.path.join(pki, "sr.key"),
        "SIGN_CERT": os.path.join(pki, "cert.sr.gp"),
        "CI_CA": os.path.join(staging.pki, "ci", "ci.pem"),
        "CI_CRL": os.path.join(staging.pki, "ci", "ci.crl"),
    }


def sm_dp(staging, instance):
    return {
        "KEK_FILE": os.path.join(staging.pki, "sm-dp", "kek.key"),
        "SIGN_KEY": os.path.join(staging.pki, "sm-dp", "dp.key"),
        "SIGN_CERT": os.path.join(staging.pki, "sm-dp", "cert.dp.gp"),
        "CI_CA": os.path.join(staging.pki, "ci", "ci.pem"),
        "TRANSPORT_KEYS": os.path.join(staging.pki, "transport"),
    }


def gateway(staging, instance):
    return {"DEFAULT_SMSR": staging.entities["sm-sr"]["oid"]}


ROLES = {
    "eum": Role("eum", "RSP_EUM_", eum),
    "sm-sr": Role("sm-sr", "RSP_SMSR_", sm_sr, bus="nats"),
    "sm-sr-handover": Role("sm-sr-handover", "RSP_HANDOVER_", handover, bus="nats-handover"),
    "sm-dp": Role("sm-dp", "RSP_SMDP_", sm_dp, bus="nats"),
    "operator-gateway": Role("operator-gateway", "RSP_GATEWAY_", gateway, northbound=True),
}
USUAL = ("sm-sr", "eum", "operator-a", "operator-b")  # the entities of a staging that does not say which it wants
ALL = USUAL + ("sm-dp",)
TWO_DOMAINS = ALL + ("sm-sr-b",)  # another SM-SR in a domain of its own; each has its handover service then


def instances(replicas=1, only=None):
    """The staging's processes in the order of their start. only: the entities; None: the usual ones."""
    rows = [Instance("sm-sr" if n == 1 else "sm-sr-%d" % n, ROLES["sm-sr"], "sm-sr", "sm_sr", "a", n) for n in range(1, replicas + 1)]
    rows.append(Instance("sm-sr-b", ROLES["sm-sr"], "sm-sr-b", "sm_sr_b", "b"))
    if "sm-sr-b" in (only or ()):
        rows.append(Instance("sm-sr-handover", ROLES["sm-sr-handover"], "sm-sr", "sm_sr_handover", "a"))
        rows.append(Instance("sm-sr-handover-b", ROLES["sm-sr-handover"], "sm-sr-b", "sm_sr_handover_b", "b"))
    rows.append(Instance("eum", ROLES["eum"], "eum", "eum", "eum"))
    rows.append(Instance("sm-dp", ROLES["sm-dp"], "sm-dp", "sm_dp", "a"))
    for letter in "ab":
        rows.append(Instance("operator-" + letter, ROLES["operator-gateway"], "operator-" + letter, "operator_" + letter, "operator-" + letter))
    return [row for row in rows if row.entity in (USUAL if only is None else only)]


def environment(staging, instance):
    """All variables of one process."""
    pki = os.path.join(staging.pki, instance.entity)
    bus = staging.buses.get(instance.domain) if instance.role.bus else None
    values = {
        "ENTITY_OID": staging.entities[instance.entity]["oid"],
        "ENTITY_NAME": staging.entities[instance.entity]["name"],
        "DOMAIN": instance.domain,
        "REPLICA": str(instance.replica),
        "DATABASE": staging.cluster.conninfo(instance.database),
        "BUS_URL": bus.url if bus else "",
        "BUS_CERT": os.path.join(pki, instance.role.bus + ".pem") if bus else "",
        "BUS_KEY": os.path.join(pki, instance.role.bus + ".key") if bus else "",
        "BUS_CA": os.path.join(staging.pki, "tls-ca", "tls-ca.pem") if bus else "",
        "PORT": str(instance.ports.get("partner", 0)),
        "TLS_SERVER_CERT": os.path.join(pki, "tls-server.pem"),
        "TLS_SERVER_KEY": os.path.join(pki, "tls-server.key"),
        "TLS_CLIENT_CERT": os.path.join(pki, "tls-client.pem"),
        "TLS_CLIENT_KEY": os.path.join(pki, "tls-client.key"),
        "TLS_CA": os.path.join(staging.pki, "tls-ca", "tls-ca.pem"),
        "TLS_CRL": os.path.join(staging.pki, "tls-ca", "tls-ca.crl"),
        "MANAGEMENT_PORT": str(instance.ports.get("management", 0)),
        "ADMIN_SOCKET": staging.admin_socket(instance.name),
        "PORT_FILE": staging.port_file(instance.name),
        "JOURNAL": os.path.join(staging.folder, instance.name + ".journal"),
    }
    if staging.balanced(instance):
        values["PUBLIC_URL"] = staging.balancer.url()
    if instance.role.northbound:
        values["NORTHBOUND_PORT"] = str(instance.ports.get("northbound", 0))
    values.update(instance.role.own(staging, instance))
    if staging.link:
        values.update(staging.link.variables(instance.name))
    values.update(staging.settings.get(instance.name, staging.settings.get(instance.role.folder, {})))
    env = dict(staging.env, PGPASSFILE=staging.cluster.passfile(instance.database))
    env.update({instance.role.prefix + key: value for key, value in values.items()})
    env.update(staging.variables.get(instance.name, {}))
    return env
