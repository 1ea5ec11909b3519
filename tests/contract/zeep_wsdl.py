#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A toolkit that users have (zeep) loads our WSDLs, from files and as ?wsdl prints them, and builds valid messages."""
import datetime
import os
import subprocess
import sys
import tempfile

try:
    import zeep
    from lxml import etree
except ImportError as why:
    print("SKIPPED: %s" % why)
    sys.exit(77)

GEN, ROOT = sys.argv[1:3]
RPS = "{http://namespaces.gsma.org/esim-messaging/3}"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
WSA = "{http://www.w3.org/2005/08/addressing}"
EID = "89049032000500881234567890123492"


def domain(role, tar, keyset):
    return dict(Aid="A0000005591010FFFFFFFF89%s00" % tar, Sin="89049032", Sdin="0001", Role=role, Keyset=[keyset])


def eis():
    info = dict(Eid=EID, PlatformType="x", PlatformVersion="1.0.0", ProductionDate=datetime.datetime(2026, 1, 1),
                Ecasd=domain("ECASD", "000002", dict(Version=116, _value_1=[
                    {"Certificate": dict(Index=1, CaId="1.2", Value="7F21")}])),
                EuiccCapabilities=dict(CattpSupport=False, HttpSupport=True, SecurePacketVersion="9.0.0",
                                       RemoteProvisioningVersion="3.2.0"))
    info["Eum-id"] = "1.2"
    info["Isd-p-loadfile-aid"] = "A0000005591010FFFFFFFF8900000D00"
    info["Isd-p-module-aid"] = "A0000005591010FFFFFFFF8900000E00"
    signed = dict(CanonicalizationMethod=dict(Algorithm="urn:a"), SignatureMethod=dict(Algorithm="urn:b"),
                  Reference=[dict(DigestMethod=dict(Algorithm="urn:c"), DigestValue=b"d")])
    out = dict(EumSignedInfo=info, EumSignature=dict(SignedInfo=signed, SignatureValue=dict(_value_1=b"s")),
               RemainingMemory=1, AvailableMemoryForProfiles=2)
    out["Smsr-id"] = "1.3"
    out["Isd-r"] = domain("ISD-R", "000001", dict(Version=1, Type="SCP80", _value_1=[
        {"Key": dict(kcv="010203", Index=1, KeyComponents=[dict(type="88", value="00")])}]))
    return out


BODIES = {
    "ES1-RegisterEIS": lambda: dict(Eis=eis()),
    "ES1-UpdateEISAdditionalProperties": lambda: dict(Eid=EID, AdditionalProperties=dict(Property=[dict(key="a", value="b")])),
    "ES4-GetEIS": lambda: dict(Eid=EID),
    "ES4-AuditEIS": lambda: dict(Eid=EID, Iccid=["8933000000000000001"]),
    "ES4-EnableProfile": lambda: dict(Eid=EID, Iccid="8933000000000000001"),
    "ES4-DisableProfile": lambda: dict(Eid=EID, Iccid="8933000000000000001"),
    "ES4-DeleteProfile": lambda: dict(Eid=EID, Iccid="8933000000000000001"),
    "ES4-UpdatePolicyRules": lambda: dict(Eid=EID, Iccid="8933000000000000001", pol2=dict(
        Rule=[dict(Subject="PROFILE", Action="DISABLE", Qualification="Auto-Delete")])),
    "ES4-UpdateSubscriptionAddress": lambda: dict(Eid=EID, Iccid="8933000000000000001", newSubscriptionAddress=dict(Msisdn="88299000001")),
    "ES4-PrepareSMSRChange": lambda: {"Eid": EID, "CurrentSMSRid": "1.3"},
    "ES4-SMSRChange": lambda: {"Eid": EID, "Target-Smsr-id": "1.4"},
    "ES7-HandoverEUICC": lambda: dict(Eis=eis()),
    "ES7-AuthenticateSMSR": lambda: dict(Eid=EID, SmsrCertificate="7F21"),
    "ES7-CreateAdditionalKeySet": lambda: dict(Eid=EID, KeyVersionNumber=2, InitialSequenceCounter=1, ECCKeyLength="ECC-256", ScenarioParameter=3,
                                               HostId="01", EphemeralPublicKey="04", Signature="05"),
    "EUM-CreateBatch": lambda: dict(Name="b", Quantity=3, EidPrefix="890490320005008812", PlatformType="x", PlatformVersion="1.0.0",
                                    Memory=1000, HttpSupport=True, **{"Smsr-id": "1.3"}, Profile=[
                                        {"Mno-id": "1.5", "IccidPrefix": "8933", "ImsiPrefix": "00101", "MsisdnPrefix": "88299",
                                         "Enabled": True, "Memory": 10}]),
    "EUM-GetBatch": lambda: dict(Batch="b"),
    "EUM-UpdateProperties": lambda: dict(Eid=EID, AdditionalProperties=dict(Property=[dict(key="a", value="b")])),
}
# Their Actions have no suffix (SGP.02 Annex B).
DEFERRED = {"ES4-AuditEIS", "ES4-DeleteProfile", "ES4-DisableProfile", "ES4-EnableProfile", "ES4-PrepareSMSRChange", "ES4-SMSRChange",
            "ES7-HandoverEUICC", "ES7-AuthenticateSMSR", "ES7-CreateAdditionalKeySet"}
SIDES = [("ES1", "sm-sr", "ES1SmSrService", "SmSrES1Port"), ("ES4", "sm-sr", "ES4SmSrService", "SmSrES4Port"),
         ("ES7", "sm-sr", "ES7SmSrProviderService", "ES7SmSrProviderPort"), ("EUM", "eum", "EUMOrderService", "EUMOrderPort")]


def check(wsdl, service, port, schema, seen):
    client = zeep.Client(wsdl)
    bound = client.bind(service, port)
    assert client.wsdl.services[service].ports[port].binding.transport is not None
    for name in client.wsdl.services[service].ports[port].binding._operations:
        message = client.create_message(bound, name, FunctionCallIdentifier="1", **BODIES[name]())
        body = message.find(SOAP + "Body")[0]
        assert body.tag == RPS + name + "Request", body.tag
        action = message.findtext("%sHeader/%sAction" % (SOAP, WSA))
        end = "/" + name if name in DEFERRED else "/%sRequest" % name
        assert action.startswith("http://gsma.com/") and action.endswith(end), action
        schema.assertValid(etree.fromstring(etree.tostring(body)))
        seen.add(name)


def main():
    schema = etree.XMLSchema(etree.parse(os.path.join(ROOT, "proto/xsd/rps3.xsd")))
    for where in ("file", "inline"):
        seen = set()
        for iface, role, service, port in SIDES:
            path = os.path.join(ROOT, "proto/wsdl/%s.wsdl" % service)
            with tempfile.NamedTemporaryFile(suffix=".wsdl") as inline:
                if where == "inline":
                    inline.write(subprocess.run([GEN, "--wsdl", iface, role], check=True, stdout=subprocess.PIPE).stdout)
                    inline.flush()
                    path = inline.name
                check(path, service, port, schema, seen)
        assert seen == set(BODIES), seen ^ set(BODIES)


main()
