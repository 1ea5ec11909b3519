# SPDX-License-Identifier: Apache-2.0
"""A card's side of HTTPS by openssl: who has its identity and key, and a first request."""
import subprocess

ISDR = "A0000005591010FFFFFFFF8900000100"
PROTOCOL = "globalplatform-remote-admin/1.0"
FROM = "//se-id/eid/%s;//aa-id/aid/A000000559/1010FFFFFFFF8900000100"


def identity(eid, key_id=1, kvn=0x40):
    return "800102" "8110%s" "4F10%s" "8201%02X" "8301%02X" % (eid, ISDR, key_id, kvn)


def s_client(staging, smsr, who, key, request):
    """What a TLS client with this identity and key gets back of an SM-SR's listener for cards."""
    port = staging.instances[smsr].ports["cards"]
    words = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-tls1_2", "-psk", key, "-psk_identity", who, "-maxfraglen", "512",
             "-cipher", "PSK-AES128-CBC-SHA256", "-quiet", "-ign_eof"]
    done = subprocess.run(words, input=request.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=staging.env, timeout=30, check=False)
    return done.stdout.decode()


def first_request(eid, **headers):
    headers = dict({"Host": "sm-sr", "X-Admin-Protocol": PROTOCOL, "X-Admin-From": FROM % eid, "Content-Length": "0",
                    "Connection": "close"}, **headers)
    return "POST /ram HTTP/1.1\r\n%s\r\n" % "".join("%s: %s\r\n" % row for row in headers.items())
