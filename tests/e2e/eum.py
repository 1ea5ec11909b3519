# SPDX-License-Identifier: Apache-2.0
"""The EUM's signature by other means than ours: cut out by text, verified by xmlsec1, made with lxml and openssl."""
import base64
import hashlib
import os
import re
import subprocess

from lxml import etree

from tests.e2e.soap import RPS, SOAP, WSA

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


def cut(text, name):
    """The octets of the one element of this name, start and end tag included."""
    found = re.findall(r"<rps:%s[ >].*?</rps:%s>" % (name, name), text, re.S)
    assert len(found) == 1, "%d of %s" % (len(found), name)
    return found[0]


def signed_parts(text):
    return cut(text, "EumSignedInfo"), cut(text, "EumSignature")


def verifies(case, info, signature, trust=None):
    """What tests/tools/verify_eum.c says; a check that could not be made is an error."""
    folder = case.staging.private_folder("xmlsec")
    files = [os.path.join(folder, "info.xml"), os.path.join(folder, "signature.xml")]
    for path, text in zip(files, (info, signature)):
        with open(path, "w", newline="") as f:
            f.write(text)
    done = subprocess.run([case.staging.program("tests", "tools", "verify-eum"), *files, trust or case.pki("ci", "ci.pem")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=case.staging.env)
    if done.returncode not in (0, 1) or ("not valid" in done.stdout) != (done.returncode == 1):
        raise AssertionError("verify-eum: exit %d\n%s" % (done.returncode, done.stdout))
    return done.returncode == 0


def ecdsa(data, key):
    """r and s of 32 bytes each, as XML signatures want it; openssl writes DER."""
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=data, stdout=subprocess.PIPE, check=True).stdout

    def number(at):
        assert der[at] == 2
        return der[at + 2:at + 2 + der[at + 1]].lstrip(b"\0").rjust(32, b"\0"), at + 2 + der[at + 1]
    r, after = number(2)
    s, _ = number(after)
    return r + s


def _opened(text, declarations):
    """An element's text with exactly these namespaces declared by its start tag."""
    start, rest = text.split(">", 1)
    start = re.sub(r' xmlns(:\w+)?="[^"]*"', "", start)
    return start + "".join(' xmlns:%s="%s"' % (p, declarations[p]) for p in sorted(declarations)) + ">" + rest


def _signature(case, octets, key, certificate, method, inherited):
    """EumSignature over these octets. inherited: the prefixes that inclusive C14N has SignedInfo declare."""
    signed_info = ('<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="%s"></ds:CanonicalizationMethod><ds:SignatureMethod '
                   'Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"></ds:SignatureMethod><ds:Reference><ds:DigestMethod '
                   'Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>%s</ds:DigestValue></ds:Reference>'
                   "</ds:SignedInfo>" % (method, base64.b64encode(hashlib.sha256(octets).digest()).decode()))
    value = ecdsa(_opened(signed_info, {"ds": DS, **inherited}).encode(), key)
    return ('<rps:EumSignature xmlns:ds="%s" xmlns:rps="%s">%s<ds:SignatureValue>%s</ds:SignatureValue><ds:KeyInfo><ds:X509Data>'
            "<ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></rps:EumSignature>"
            % (DS, RPS, signed_info, base64.b64encode(value).decode(), certificate))


def signed_anew(case, info, name):
    """EumSignature over canonical octets by the key and certificate NAME.{key,pem} of the PKI, as our EUM makes it."""
    with open(case.pki(name + ".pem")) as f:
        certificate = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", f.read(), re.S).group(1)
    return _signature(case, info.encode(), case.pki(name + ".key"), "".join(certificate.split()), EXCLUSIVE, {})


def sign_inclusive(case, request, in_place, signed_info_inclusive):
    """The request signed again with inclusive C14N, without Transforms. in_place: the octets are those of the elements inside this very
    envelope; else those of two documents that have the elements as roots, where EumSignedInfo declares a namespace more than it needs
    (otherwise the two forms of C14N would write the same)."""
    around = {"rps": RPS, "soap": SOAP, "wsa": WSA} if in_place else {"rps": RPS}
    extra = {} if in_place else {"xsi": "http://www.w3.org/2001/XMLSchema-instance"}
    info, signature = signed_parts(request)
    octets = _opened(info, {**around, **extra}).encode()
    certificate = re.search(r"<ds:X509Certificate>([^<]*)<", signature).group(1)
    method = INCLUSIVE if signed_info_inclusive else EXCLUSIVE
    made = _signature(case, octets, case.pki("eum", "eum.key"), certificate, method, around if signed_info_inclusive else {})
    sent = request.replace(info, _opened(info, extra)).replace(signature, made)
    # Our text above is right only when libxml writes the same: the whole form of the info as root of a document.
    assert etree.tostring(etree.fromstring(octets), method="c14n") == octets
    return sent
