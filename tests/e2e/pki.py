# SPDX-License-Identifier: Apache-2.0
"""More certificates for a running staging, and strangers who get into its registry with them."""
import json
import os
import subprocess


class Pki:
    """Beside base.Case."""

    def certs(self, *arguments):
        subprocess.run([self.staging.program("services", "certs", "rsp-certs"), "--out", self.staging.pki, *arguments], check=True,
                       stdout=subprocess.DEVNULL, env=self.staging.env)

    def issue(self, name, *options):
        """A TLS certificate and its key, by the staging's own PKI program."""
        self.certs("--issue", name, *options)
        return self.pki("extra", name + ".pem"), self.pki("extra", name + ".key")

    def introduce(self, oid, role, *certificates):
        """Puts an entity with these certificates into sm-sr's registry."""
        folder = self.staging.private_folder("introduced-" + oid)
        with open(os.path.join(folder, "entity.json"), "w") as f:
            json.dump({"oid": oid, "name": "tester", "roles": [role], "certificates": list(certificates), "addresses": {},
                       "customers": [], "dialect": ""}, f)
        self.rspctl.entity_import(self.admin("sm-sr"), folder)
