# SPDX-License-Identifier: Apache-2.0
"""Every call of rspctl, the operator's command line, in one place."""
import json
import os
import re

from .paths import RspError
from .proc import run


class Ctl:
    """rspctl of one build, always with --json. Each method returns the decoded answer; a refusal is a CtlError."""

    # The search for leaks takes as long as all the rest of a short process, and finds the same again: once for each form of a command.
    searched = set()
    search_all = False  # ./rsp test full

    def __init__(self, program, env):
        self.program, self.env = program, env

    def _env(self, words):
        """A form: the command's words and the names of its options, without values."""
        form = tuple(word for word in words if re.fullmatch("[a-z]+|--?[a-z-]+", word))
        options = self.env.get("ASAN_OPTIONS", "")
        if Ctl.search_all or form not in Ctl.searched:
            Ctl.searched.add(form)
            return self.env
        return dict(self.env, ASAN_OPTIONS=options.replace("detect_leaks=1", "detect_leaks=0"))

    def call(self, *words, timeout_s=60):
        """(exit code, output) of any command line."""
        return run([self.program, "--json", *words], check=False, env=self._env(words), timeout_s=timeout_s, cwd="/")

    def _answer(self, *words, timeout_s=60):
        code, output = self.call(*words, timeout_s=timeout_s)
        if code != 0:
            raise CtlError(words, code, output)
        try:
            return json.loads(output) if output.strip() else None
        except ValueError:
            raise CtlError(words, code, output) from None

    def text(self, *words):
        """What a person would see."""
        code, output = run([self.program, *words], check=False, env=self._env(words), timeout_s=60, cwd="/")
        if code != 0:
            raise CtlError(words, code, output)
        return output

    # On the admin socket of a process.
    def entity_import(self, admin_socket, folder):
        return self._answer("--admin", admin_socket, "entity", "import", folder)

    def entity_list(self, admin_socket):
        return self._answer("--admin", admin_socket, "entity", "list")

    def messages(self, admin_socket, eid=None, limit=20):
        chosen = ["--eid", eid] if eid else []
        return self._answer("--admin", admin_socket, "messages", *chosen, "--limit", str(limit))

    def outbox(self, admin_socket, dead=False, eid=None, peer=None, limit=None):
        options = (("--eid", eid), ("--peer", peer), ("--limit", limit))
        chosen = [str(word) for option in options if option[1] is not None for word in option]
        return self._answer("--admin", admin_socket, "outbox", "list", *(["--dead"] if dead else []), *chosen)

    def outbox_show(self, admin_socket, row):
        return self._answer("--admin", admin_socket, "outbox", "show", str(row))

    def outbox_replay(self, admin_socket, row=None, peer=None):
        """One, those for a partner, or all: how many."""
        chosen = [str(row)] if row is not None else ["--peer", peer] if peer else ["--all"]
        return self._answer("--admin", admin_socket, "outbox", "replay", *chosen)["replayed"]

    def outbox_drop(self, admin_socket, row):
        return self._answer("--admin", admin_socket, "outbox", "drop", str(row), "--yes")

    def peers(self, admin_socket):
        """By lane."""
        return {row["lane"]: row for row in self._answer("--admin", admin_socket, "peer", "list")}

    def fault_list(self, admin_socket):
        return self._answer("--admin", admin_socket, "fault", "list")

    def fault(self, admin_socket, point, action, eid):
        return self._answer("--admin", admin_socket, "fault", point, action, eid)

    def keys_bump(self, admin_socket, eid, by):
        return self._answer("--admin", admin_socket, "keys", "bump", eid, str(by))

    def cards_uncertain(self, admin_socket, eid):
        return self._answer("--admin", admin_socket, "cards", "uncertain", eid)

    def token_create(self, admin_socket, name, role):
        return self._answer("--admin", admin_socket, "token", "create", name, role)

    # On that of an SM-DP.
    def type_add(self, admin_socket, name, package, mno, memory, rules=(), keys=None, address=None, variables=None, pad=None):
        """package: a file, "--meter", or None: the one that is built in, of at least pad bytes."""
        options = (("--keys", keys), ("--address", address), ("--variables", variables), ("--pad", pad))
        chosen = [str(word) for option in options if option[1] is not None for word in option]
        return self._answer("--admin", admin_socket, "type", "add", name, package or "--default", *rules, "--mno", mno, "--memory", str(memory), *chosen)

    def type_show(self, admin_socket, name, mno):
        return self._answer("--admin", admin_socket, "type", "show", name, "--mno", mno)

    def package_show(self, path):
        return self._answer("package", "show", path)

    def type_list(self, admin_socket):
        return self._answer("--admin", admin_socket, "type", "list")

    def stock_import(self, admin_socket, path, mno, type_name, batch=None, wrap=None):
        options = (("--batch", batch), ("--wrap", wrap))
        chosen = [word for option in options if option[1] is not None for word in option]
        return self._answer("--admin", admin_socket, "stock", "import", path, "--mno", mno, "--type", type_name, *chosen, timeout_s=620)

    def stock_make(self, admin_socket, batch, iccid, imsi, quantity, mno, type_name):
        return self._answer("--admin", admin_socket, "stock", "make", batch, iccid, imsi, "--quantity", str(quantity), "--mno", mno, "--type", type_name)

    def stock_export(self, admin_socket, batch, mno):
        """The CSV."""
        return self._answer("--admin", admin_socket, "stock", "export", batch, "--mno", mno)["csv"]

    def stock_digest(self, admin_socket, iccid):
        """Of the package that an ICCID has: elements, bytes, digest."""
        return self._answer("--admin", admin_socket, "stock", "digest", iccid)

    def stock_list(self, admin_socket, limit=None, **chosen):
        """chosen: mno, type, batch, state, eid."""
        words = [word for name, value in chosen.items() for word in ("--" + name, value)]
        return self._answer("--admin", admin_socket, "stock", "list", *words, *(["--limit", str(limit)] if limit else []))

    def stock_count(self, admin_socket):
        return self._answer("--admin", admin_socket, "stock", "count")

    def stock_batches(self, admin_socket):
        return self._answer("--admin", admin_socket, "stock", "batches")

    def stock_release(self, admin_socket, iccid):
        return self._answer("--admin", admin_socket, "stock", "release", iccid, "--yes")

    def stock_deleted(self, admin_socket, iccid):
        return self._answer("--admin", admin_socket, "stock", "deleted", iccid, "--yes")

    def keys_list(self, admin_socket, **chosen):
        """chosen: mno, type, eid, limit."""
        return self._answer("--admin", admin_socket, "keys", "list", *(word for name, value in chosen.items() for word in ("--" + name, str(value))))

    def keys_export(self, admin_socket, path, mno, type_name=None, everything=False):
        more = (["--type", type_name] if type_name else []) + (["--all"] if everything else [])
        return self._answer("--admin", admin_socket, "keys", "export", path, "--mno", mno, *more)

    def keys_exports(self, admin_socket):
        return self._answer("--admin", admin_socket, "keys", "exports")

    def keys_confirm(self, admin_socket, export):
        return self._answer("--admin", admin_socket, "keys", "confirm", export, "--yes")

    def connectivity_update(self, admin_socket, eid, iccid, path, validity_s=None):
        more = ["--validity", str(validity_s)] if validity_s else []
        return self._answer("--admin", admin_socket, "connectivity", "update", eid, iccid, path, *more)["id"]

    def connectivity_list(self, admin_socket, eid):
        return self._answer("--admin", admin_socket, "connectivity", "list", "--eid", eid)

    def download_list(self, admin_socket, **chosen):
        """chosen: state, eid, iccid, mno, limit."""
        return self._answer("--admin", admin_socket, "download", "list", *(word for name, value in chosen.items() for word in ("--" + name, str(value))))

    def download_show(self, admin_socket, download):
        return self._answer("--admin", admin_socket, "download", "show", download)

    # At the simulator.
    def card_number(self, admin_socket, eid, msisdn, iccid=None):
        return self._answer("--admin", admin_socket, "card", "number", eid, msisdn, *(["--iccid", iccid] if iccid else []))

    # On that of a handover service.
    def smsr_changes(self, admin_socket, eid):
        """Of one card, the newest first."""
        return self._answer("--admin", admin_socket, "smsr-change", "list", "--eid", eid)

    def smsr_change_resolve(self, admin_socket, change, word):
        """word: moved or kept."""
        return self._answer("--admin", admin_socket, "smsr-change", "resolve", change, word, "--yes")

    # At the gateway's northbound interface.
    def eis_get(self, gateway_words, eid, via=None):
        return self._answer(*gateway_words, "eis", "get", eid, *(["--via", via] if via else []))

    def _order(self, words, validity_s, mode, when, wait_s, via=None):
        """The operation's id in {"operation"}; with wait_s the ended operation, or a CtlError when it did not end well."""
        options = (("--validity", validity_s), ("--mode", mode), ("--when", when), ("--wait", wait_s), ("--via", via))
        chosen = [str(word) for option in options if option[1] is not None for word in option]
        return self._answer(*words, *chosen, timeout_s=60 + (wait_s or 0))

    def profile_enable(self, gateway_words, eid, iccid, validity_s=None, mode=None, when=None, wait_s=None, via=None):
        return self._order([*gateway_words, "profile", "enable", eid, iccid], validity_s, mode, when, wait_s, via)

    def profile_disable(self, gateway_words, eid, iccid, validity_s=None, mode=None, when=None, wait_s=None, via=None):
        return self._order([*gateway_words, "profile", "disable", eid, iccid], validity_s, mode, when, wait_s, via)

    def profile_delete(self, gateway_words, eid, iccid, validity_s=None, mode=None, when=None, wait_s=None, via=None):
        return self._order([*gateway_words, "profile", "delete", eid, iccid], validity_s, mode, when, wait_s, via)

    def download(self, gateway_words, eid, profile_type=None, iccid=None, enable=False, validity_s=None, mode=None, when=None, wait_s=None, via=None):
        options = (("--type", profile_type), ("--iccid", iccid))
        chosen = [word for option in options if option[1] is not None for word in option] + (["--enable"] if enable else [])
        return self._order([*gateway_words, "download", eid, *chosen], validity_s, mode, when, wait_s, via)

    def profile_policy(self, gateway_words, eid, iccid, rules=(), validity_s=None, when=None, wait_s=None, via=None):
        """rules: "DISABLE:Not-Allowed", ...; none: all is allowed."""
        return self._order([*gateway_words, "profile", "policy", eid, iccid, *rules], validity_s, None, when, wait_s, via)

    def profile_address(self, gateway_words, eid, iccid, imsi=None, msisdn=None, validity_s=None, when=None, wait_s=None, via=None):
        chosen = [word for option in (("--imsi", imsi), ("--msisdn", msisdn)) if option[1] is not None for word in option]
        return self._order([*gateway_words, "profile", "address", eid, iccid, *chosen], validity_s, None, when, wait_s, via)

    def eis_audit(self, gateway_words, eid, iccids=(), validity_s=None, mode=None, when=None, wait_s=None, via=None):
        chosen = ["--iccid", ",".join(iccids)] if iccids else []
        return self._order([*gateway_words, "eis", "audit", eid, *chosen], validity_s, mode, when, wait_s, via)

    def smsr_change(self, gateway_words, eid, to, dry_run=False, validity_s=None, mode=None, when=None, wait_s=None):
        return self._order([*gateway_words, "smsr-change", "start", eid, "--to", to, *(["--dry-run"] if dry_run else [])], validity_s, mode, when, wait_s)

    def smsr_change_list(self, gateway_words, path, to, parallel=None, timeout_s=600, **options):
        """(exit code, rows) of a whole list."""
        chosen = [word for name, value in options.items() for word in ("--" + name, str(value))] + (["--parallel", str(parallel)] if parallel else [])
        code, output = self.call(*gateway_words, "smsr-change", "bulk", path, "--to", to, *chosen, timeout_s=timeout_s)
        if "[" not in output:
            raise CtlError(["smsr-change", "bulk"], code, output)
        return code, json.loads(output[output.index("["):])

    def operation(self, gateway_words, operation, wait_s=0):
        """How it stands, at the latest after wait_s; no error however it ended."""
        return self._answer(*gateway_words, "operation", "show", operation, "--wait", str(wait_s), timeout_s=60 + wait_s)

    def operations(self, gateway_words, eid=None, state=None, limit=None):
        options = (("--eid", eid), ("--state", state), ("--limit", limit))
        chosen = [str(word) for option in options if option[1] is not None for word in option]
        return self._answer(*gateway_words, "operation", "list", *chosen)

    def notifications(self, gateway_words, eid=None, limit=None):
        options = (("--eid", eid), ("--limit", limit))
        chosen = [str(word) for option in options if option[1] is not None for word in option]
        return self._answer(*gateway_words, "notification", "list", *chosen)

    # At the EUM's order interface.
    def batch_create(self, order, order_file):
        return self._answer(*order.words(), "batch", "create", "--file", order_file, timeout_s=300)

    def eis_properties(self, order, eid, **properties):
        return self._answer(*order.words(), "eis", "properties", eid, *("%s=%s" % row for row in properties.items()))

    def batch_status(self, order, name):
        return self._answer(*order.words(), "batch", "status", name)


class Order:
    """Who orders where: the EUM's URL and the customer's TLS credentials."""

    def __init__(self, url, cert, key, ca, sender):
        self.url, self.cert, self.key, self.ca, self.sender = url, cert, key, ca, sender

    def words(self):
        return ["--order", self.url, "--cert", self.cert, "--key", self.key, "--ca", self.ca, "--from", self.sender]


class CtlError(RspError):
    def __init__(self, words, code, output):
        super().__init__("rspctl %s: exit %d\n%s" % (" ".join(words), code, output.strip()))
        self.code, self.output = code, output


def program(build_folder):
    return os.path.join(build_folder, "services", "operator-gateway", "rspctl")
