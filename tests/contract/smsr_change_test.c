/* SPDX-License-Identifier: Apache-2.0 */
/* The SM-SR change on ES4 and ES7 as peers write it (wire.md 5.4, 5.7, 10). */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/contract/fill.h"
#include "tests/contract/peer.h"

#define CERTIFICATE "<rps:SmsrCertificate>7F210101</rps:SmsrCertificate>"
#define KEYSET_HEAD                                                                                                     \
	CARD "<rps:KeyVersionNumber>2</rps:KeyVersionNumber><rps:InitialSequenceCounter>0</rps:InitialSequenceCounter>" \
	     "<rps:ECCKeyLength>ECC-256</rps:ECCKeyLength><rps:ScenarioParameter>8</rps:ScenarioParameter>"
#define KEYSET_TAIL "<rps:EphemeralPublicKey>04AB</rps:EphemeralPublicKey><rps:Signature>CD</rps:Signature>"

TestSuite(smsr_change, .init = peer_start, .fini = peer_stop);

Test(smsr_change, each_order_names_the_other_side_in_its_own_way)
{
	struct es4_prepare_smsr_change_rq prepare;
	struct es4_smsr_change_rq change;
	struct plain_rs rs;

	take("ES4-PrepareSMSRChangeRequest", CARD "<rps:CurrentSMSRid>1.2.3</rps:CurrentSMSRid>", &prepare);
	cr_assert_str_eq(prepare.current.text, "1.2.3");
	take("ES4-SMSRChangeRequest", CARD "<rps:Target-Smsr-id>1.2.4</rps:Target-Smsr-id>", &change);
	cr_assert_str_eq(change.target.text, "1.2.4");
	refused("ES4-SMSRChangeRequest", CARD, CODE_PARAM_MISSING, "Target-Smsr-id", "Target-Smsr-id: missing");
	take("ES4-SMSRChangeResponse", FAILURE, &rs);
	cr_assert_eq(rs.base.status.status, STATUS_FAILED);
}

/* An Eis as large as it gets, as the other side would send it back. */
static const char *eis_text(void)
{
	const struct bind_message *m = message_request(FN_ES7_HandoverEUICC);
	const char *text = written(m, fill_new(a, m->group, FILL_ALL, 7), BIND_PLAIN), *from = strstr(text, "<rps:Eis>"),
		   *to = strstr(text, "</rps:Eis>");

	cr_assert(from && to);
	return arena_strndup(a, from, (size_t)(to - from) + strlen("</rps:Eis>"));
}

Test(smsr_change, the_card_is_named_by_eid_or_by_eis)
{
	struct es7_authenticate_smsr_rq rq;
	const char *eis = eis_text();
	const struct eid *eid = NULL;
	result r;

	take("ES7-AuthenticateSMSRRequest", CARD CERTIFICATE, &rq);
	cr_assert(es7_authenticate_eid(a, &rq, &eid) == OK);
	cr_assert_str_eq(eid->text, EID);
	cr_assert(rq.certificate.len == 4 && !rq.eis);
	take("ES7-AuthenticateSMSRRequest", arena_printf(a, BASE "%s" CERTIFICATE, eis), &rq);
	cr_assert(!rq.eid && rq.eis);
	cr_assert(es7_authenticate_eid(a, &rq, &eid) == OK && eid == &rq.eis->info.eid);
	cr_assert(decode("ES7-AuthenticateSMSRequest", CARD CERTIFICATE, &rq) == OK, "as a WSDL misspells it");
	take("ES7-AuthenticateSMSRRequest", arena_printf(a, CARD "%s" CERTIFICATE, eis), &rq);
	r = es7_authenticate_eid(a, &rq, &eid);
	cr_assert(r && r->code == CODE_PARAM_INVALID, "of two cards");
	take("ES7-AuthenticateSMSRRequest", BASE CERTIFICATE, &rq);
	r = es7_authenticate_eid(a, &rq, &eid);
	cr_assert(r && r->code == CODE_PARAM_MISSING, "of none");
	refused("ES7-AuthenticateSMSRRequest", CARD "<rps:SmsrCertificate/>", CODE_PARAM_INVALID, "SmsrCertificate",
		"SmsrCertificate: not 1 to 1024 bytes");
}

Test(smsr_change, what_the_schema_forces_into_a_failure_is_read_empty_and_absent)
{
	struct es7_authenticate_smsr_rs challenge = { 0 };
	struct es7_create_additional_keyset_rs receipt = { 0 };
	struct execution_status failed_status = { STATUS_FAILED, NULL };

	take("ES7-AuthenticateSMSRResponse", FAILURE "<rps:RandomChallenge/>", &challenge);
	cr_assert_eq(challenge.random_challenge.len, 0);
	cr_assert(decode("ES7-AuthenticateSMSRResponse", FAILURE, &challenge) == OK);
	take("ES7-CreateAdditionalKeySetResponse", DONE "<rps:DerivationRandom/><rps:Receipt>A0A1</rps:Receipt>", &receipt);
	cr_assert(receipt.derivation_random.len == 0 && receipt.receipt.len == 2);
	receipt = (struct es7_create_additional_keyset_rs){ .base.status = failed_status };
	cr_assert(strstr(written(message_response(FN_ES7_CreateAdditionalKeySet), &receipt, BIND_PLAIN),
			 "<rps:DerivationRandom></rps:DerivationRandom><rps:Receipt></rps:Receipt>"));
}

Test(smsr_change, numbers_of_a_key_set_are_judged)
{
	struct es7_create_additional_keyset_rq rq;

	take("ES7-CreateAdditionalKeySetRequest", KEYSET_HEAD "<rps:HostId/>" KEYSET_TAIL, &rq);
	cr_assert(rq.kvn == 2 && rq.counter == 0 && rq.scenario == 8 && rq.ecc_length == ES7_ECC_256 && rq.host_id.len == 0);
	refused("ES7-CreateAdditionalKeySetRequest", KEYSET_HEAD KEYSET_TAIL, CODE_PARAM_MISSING, "HostId", "HostId: missing");
	refused("ES7-CreateAdditionalKeySetRequest", CARD "<rps:KeyVersionNumber>128</rps:KeyVersionNumber>", CODE_PARAM_INVALID,
		"KeyVersionNumber", "KeyVersionNumber: not from 1 to 127");
	refused("ES7-CreateAdditionalKeySetRequest",
		CARD "<rps:KeyVersionNumber>2</rps:KeyVersionNumber><rps:InitialSequenceCounter>-1</rps:InitialSequenceCounter>",
		CODE_PARAM_INVALID, "InitialSequenceCounter", "InitialSequenceCounter: not from 0 to 1099511627775");
}
