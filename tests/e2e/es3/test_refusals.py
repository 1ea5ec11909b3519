# SPDX-License-Identifier: Apache-2.0
"""What an SM-DP may not have a card do (decisions.md C4, D1): each ES5 command through SendData, a key establishment out of its order, another
SM-DP's ISD-P. Nothing is sent, no card is woken."""
from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download import gp
from tests.e2e.download.package import tlv
from tests.e2e.es3.es3_case import SMDP, Es3Case
from tests.e2e.pki import Pki
from tests.e2e.stock.stock_case import luhn

ISDR, ECASD = "A0000005591010FFFFFFFF8900000100", "A0000005591010FFFFFFFF8900000200"
LOAD_FILE, MODULE = "A0000005591010FFFFFFFF8900000D00", "A0000005591010FFFFFFFF8900000E00"
NEW = "A0000005591010FFFFFFFF890000FF00"
SEGMENT = "861892D41D5EE541E3283FEA1C37BDC091D4411FED39E079B9D6"
REFUSED = ("FAILED", "8.3.1/1.2")


def capdu(header, data="", le=""):
    """A C-APDU in its TLV."""
    apdu = bytes.fromhex(header + ("%02X" % (len(data) // 2) if data else "") + data + le)
    return tlv("22", apdu).hex().upper()


def store(dgi, data, p1="88", p2="00", le=""):
    return capdu("80E2%s%s" % (p1, p2), "%s%02X%s" % (dgi, len(data) // 2, data), le)


def install(aid):
    return capdu("80E62000", "000010%s000000" % aid)


def agreement(sign=b"\1" * 64):
    """STORE DATA 3A02 with a point of the curve: that of card.md 9."""
    point = ("04D614DD3ECE1FE102F9769770236E23E5F3553B76B9CAFFCCB8B7C4EB54CF3E4996CD748D1A1575ADEC544519F5E470556B0C0CD6A4A54331828B6BE351AA1099")
    template = "A615900203099501108001888101108201018301309100"
    return capdu("80E28901", "3A02%02X%s7F4941%s5F3740%s" % (len(template) // 2, template, point, sign.hex()), "00")


A, B = "A" * 32, "B" * 32  # in their places: the AIDs of the other operator's and of the SM-DP's ISD-P
# card.md 2
COMMANDS = {
    "create_isdp": capdu("80E60C00", "10%s10%s10%s03" "80C000" "0E" "C90481020370" "EF0683040000C000" "00" % (LOAD_FILE, MODULE, NEW), "00"),
    "enable": store("3A03", "4F10" + B),
    "enable_another": store("3A03", "4F10" + A),
    "disable": store("3A04", "4F10" + B),
    "set_fall_back": store("3A05", "4F10" + B),
    "sm_sr_address": store("3A07", "A3098107036F74614D2D72"),
    "connectivity_in_clear": store("3A07", "A00406029100"),
    "confirm_notification": store("3A08", "4E020001", "89"),
    "delete": capdu("80E40040", "4F10" + B, "00"),
    "delete_another": capdu("80E40040", "4F10" + A, "00"),
    "master_delete": capdu("80E40040", "4F10%sB60D42030001024501019303010203" "9E08" % B + "AA" * 8, "00"),
    "audit": capdu("80F24002", "4F005C034F9F70", "00"),
    "audit_one": capdu("80F24002", "4F10%s5C034F9F70" % B, "00"),
    "resources": capdu("80CAFF21", le="00"),
    "ecasd_certificate": capdu("80CABF30", "5C027F21", "00"),
    "ecasd_recognition": capdu("80CABF30", "5C0166", "00"),
    "put_key": capdu("80D80081", "41" "8511" "10" + "00" * 16 + "03000000" "8811" "10" + "00" * 16 + "03000000", "00"),
    "finish_sm_sr_change": capdu("80E40000", "F203010103F203410102"),
    "select": capdu("00A40400", B, "00"),
}


class Refusals(Es3Case):
    """One card for all; operator-b's profile is one that the SM-DP made."""
    shared = {}  # by staging

    def setUp(self):
        super().setUp()
        key = (type(self), self.staging.name, self.staging.folder)
        if key not in Refusals.shared:
            Refusals.shared[key] = self.take().eid
            self.of_the_sm_dp(self.cards[0])
        self.one = self.cards[0] if self.cards else self.card_of(Refusals.shared[key])
        self.attach(self.one)
        self.a, self.b = (self.aid(self.one, iccid) for iccid in (self.one.a, self.one.b))

    def traces(self, card):
        """All that would show that something went towards the card."""
        now = card.now
        return (now["commands"], now["profiles"], now["enabled"], now["waiting_sms"], card.scripts(),
                card.sql("select (select count(*) from card_command where eid = '{eid}'), (select count(*) from sms_out where eid = '{eid}'),"
                         " (select count(*) from procedure where eid = '{eid}'), (select count(*) from eid_busy where eid = '{eid}'),"
                         " (select remaining_memory from eis_state where eid = '{eid}')"))

    def filled(self, command):
        return command.replace(A, self.a).replace(B, self.b)

    def refused(self, *data, to=None):
        """Sent to the ISD-R and to the SM-DP's own ISD-P."""
        before = self.traces(self.one)
        for sd in to or (ISDR, self.b):
            for one in data:
                answer = self.send(self.one, sd, one)
                self.expect(answer, REFUSED)
                self.assertIsNone(answer.text("rps:EuiccResponseData"))
        self.assertEqual(self.traces(self.one), before)


def of_command(command):
    @full
    def test(self):
        """Alone, and behind or before what is allowed."""
        data = self.filled(command)
        self.refused(data, install(self.b) + data, to=(ISDR,))
        self.refused(data, SEGMENT + data, data + SEGMENT, to=(self.b,))
    return test


class Commands(Refusals):
    """test_<command> for each row of COMMANDS."""

    def test_each_alone(self):
        """What of it the quick suite sees."""
        self.refused(*(self.filled(command) for command in COMMANDS.values()), to=(ISDR,))


class Order(Pki, Refusals):
    """Key establishment is INSTALL [for personalization] and 3A01, then 3A02 in the same session."""

    def certificate(self):
        with open(self.pki("sm-dp", "cert.dp.gp"), "rb") as f:
            return f.read()

    def first(self, aid=None, certificate=None):
        return install(aid or self.b) + store("3A01", (certificate or self.certificate()).hex(), "09", "00", "00")

    @full
    def test_a_second_install(self):
        self.refused(install(self.b), install(self.b) + self.first(), self.first() + install(self.b), install(self.b) + install(self.b))

    @full
    def test_install_for_what_is_no_isd_p(self):
        self.refused(*(self.first(aid) for aid in (ISDR, ECASD, LOAD_FILE)))

    @full
    def test_another_dgi(self):
        for dgi in ("3A02", "3A03", "3A07", "0070", "8010", "FFFF"):
            self.refused(install(self.b) + store(dgi, self.certificate().hex(), "09", "00", "00"))
        self.refused(self.first() + agreement(), store("3A01", self.certificate().hex(), "09", "00", "00"))

    @full
    def test_an_agreement_without_a_certificate(self):
        self.refused(agreement(), agreement() + agreement())

    @full
    def test_to_an_isd_p_of_its_own_only_what_is_secured(self):
        self.refused(self.first(), agreement(), "8609" + "00" * 9, "8400", "8500", "8600", "87020000", "22", "2200", to=(self.b,))

    @full
    def test_a_session_with_the_isd_r(self):
        self.refused("840A3000B4BBD029BDC3558F", capdu("80503000", "B4BBD029BDC3558F", "00"), SEGMENT, to=(ISDR, ECASD))

    def create(self, card):
        """An ISD-P that is really there, and the session held: its AID and ICCID."""
        more = ("<rps:Mno-id>%s</rps:Mno-id><rps:RequiredMemory>1000</rps:RequiredMemory><rps:MoreToDo>true</rps:MoreToDo>" % self.oid("operator-b"))
        iccid = luhn("89889997%s" % card.b[8:-1])
        answer = self.ask("CreateISDP", card, iccid, more)
        self.expect(answer, SUCCESS)
        return answer.text("rps:Isd-p-aid"), iccid

    def data(self, answer):
        self.expect(answer, SUCCESS)
        return answer.text("rps:EuiccResponseData")

    def begin(self, card, aid, certificate=None):
        more = "<rps:Sd-aid>%s</rps:Sd-aid><rps:Data>%s</rps:Data><rps:MoreToDo>true</rps:MoreToDo>"
        return self.data(self.ask("SendData", card, more=more % (ISDR, self.first(aid, certificate))))

    def refused_on(self, card, data):
        before = self.traces(card)
        self.expect(self.send(card, ISDR, data), REFUSED)
        self.assertEqual(self.traces(card), before)

    def gone(self, card, aid, iccid):
        self.expect(self.ask("DeleteISDP", card, iccid), SUCCESS)
        self.assertEqual([p["iccid"] for p in card.now["profiles"]], [card.a, card.b])

    @full
    def test_an_agreement_in_a_session_that_is_closed(self):
        card = self.card()
        aid, iccid = self.create(card)
        self.assertRegex(self.begin(card, aid), "^23029000" "23148510[0-9A-F]{32}9000$")
        scripts = card.scripts()
        card.power(False)
        gone = "select count(*) from card_session where eid = '{eid}' and gone_at is null"
        self.await_true(lambda: card.sql(gone) == "0", "the end of the connection is not seen")
        card.power(True)
        self.await_true(lambda: card.now["phase"] == "idle", "the card does not attach")
        # A connection that broke may be resumed: only when the card comes, and comes with another session, is it sure that this one has ended.
        self.expect(self.send(card, ISDR, agreement()), REFUSED)
        self.assertEqual((card.scripts(), card.now["keysets"]), (scripts, 0))
        self.await_true(card.idle, "the session does not end")
        self.refused_on(card, agreement())
        self.gone(card, aid, iccid)

    @full
    def test_the_card_judges_the_certificate(self):
        """One for an SM-SR, of another CI, altered: the card says no, and the SM-SR lets no agreement pass."""
        card = self.card()
        aid, iccid = self.create(card)
        with open(self.pki("sm-sr", "cert.sr.gp"), "rb") as f:
            for_sm_sr = f.read()
        good = self.certificate()
        self.certs("--issue", "refusals-foreign", "--eum", "1.3.6.1.4.1.99999.1", "--foreign-ca")  # makes that CI
        foreign, ours = self.pki("extra", "foreign-ci.key"), self.pki("ci", "ci.key")
        for name, certificate, sw in (("for an SM-SR", for_sm_sr, "6985"),
                                      ("the SM-DP's own, said to be for an SM-SR", gp.issued(good, ours, {gp.ROLES: bytes.fromhex("C80102")}), "6985"),
                                      ("of another CI", gp.issued(good, foreign, {}), "6982"),
                                      ("altered", gp.altered(good), "6982"),
                                      ("no certificate", bytes.fromhex("7F2103420101"), "6A80")):
            with self.subTest(name=name):
                self.assertEqual(self.begin(card, aid, certificate), "23029000" "2302" + sw)
                self.refused_on(card, agreement())
                self.assertEqual([p["state"] for p in card.now["profiles"] if p["aid"] == aid], ["Selectable"])
        # The CI's own signature over what it is: it is good.
        self.assertRegex(self.begin(card, aid, gp.issued(good, ours, {})), "8510")
        # A signature that is none: the card says so, and the challenge is used up.
        more = "<rps:Sd-aid>%s</rps:Sd-aid><rps:Data>%s</rps:Data><rps:MoreToDo>true</rps:MoreToDo>" % (ISDR, agreement())
        self.assertEqual(self.data(self.ask("SendData", card, more=more)), "23026982")
        self.refused_on(card, agreement())
        self.assertEqual(card.now["keysets"], 0)
        self.gone(card, aid, iccid)


class Others(Refusals):
    """An ISD-P of another SM-DP, whose operator is no customer of this one; and one of its own operator's that another SM-DP made."""

    def of_another(self, mno):
        self.one.sql("update profile set smdp = '1.2.3', mno = '{mno}' where iccid = '{iccid}'", mno=mno, iccid=self.one.b)
        self.addCleanup(self.one.sql, "update profile set smdp = '{smdp}', mno = '{mno}' where iccid = '{iccid}'", smdp=self.oid(SMDP),
                        mno=self.oid("operator-b"), iccid=self.one.b)

    def parameters(self):
        return "<rps:ConnectivityParameters>%s</rps:ConnectivityParameters>" % capdu("84E28800", "C01EF6806B012375313193718385FBD2")

    @full
    def test_it_is_sent_nothing(self):
        for mno in (self.oid("operator-b"), self.oid("operator-a")):
            with self.subTest(mno=mno):
                self.of_another(mno)
                self.refused(SEGMENT, capdu("80503000", "B4BBD029BDC3558F", "00"), to=(self.b,))
                self.refused(install(self.b) + store("3A01", "7F2103420101", "09", "00", "00"), to=(ISDR,))

    @full
    def test_it_is_not_managed(self):
        self.of_another(self.oid("operator-a"))
        before = self.traces(self.one)
        for function, more in (("EnableProfile", ""), ("DisableProfile", ""), ("DeleteISDP", ""), ("UpdatePolicyRules", ""),
                               ("UpdateSubscriptionAddress", "<rps:newSubscriptionAddress/>"), ("ProfileDownloadCompleted", ""),
                               ("UpdateConnectivityParameters", self.parameters())):
            with self.subTest(function=function):
                self.expect(self.ask(function, self.one, self.one.b, more, 30), ("FAILED", "8.2.1/1.2"))
        self.expect(self.ask("AuditEIS", self.one, self.one.b), ("FAILED", "8.1/1.2"))
        answer = self.ask("GetEIS", self.one, validity=30)
        self.expect(answer, SUCCESS)
        self.assertEqual(answer.all("rps:Eis/rps:ProfileInfo/rps:Iccid"), [])
        self.assertEqual(self.traces(self.one), before)

    @full
    def test_what_its_operator_orders_passes_and_no_data_of_ours(self):
        """D1: the operator is a customer, so its orders are carried; what only the maker of an ISD-P may say is not (C4)."""
        self.of_another(self.oid("operator-b"))
        before = self.traces(self.one)
        self.expect(self.ask("UpdateConnectivityParameters", self.one, self.one.b, self.parameters(), 30), REFUSED)
        self.expect(self.ask("ProfileDownloadCompleted", self.one, self.one.b, "", 30), ("FAILED", "8.2.1/1.2"))
        self.assertEqual(self.traces(self.one), before)
        self.expect(self.ask("UpdatePolicyRules", self.one, self.one.b, "", 30), SUCCESS)


for _name, _command in COMMANDS.items():
    setattr(Commands, "test_" + _name, of_command(_command))
