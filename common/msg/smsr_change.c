/* SPDX-License-Identifier: Apache-2.0 */
/* The SM-SR change: what an operator orders on ES4, what the two SM-SRs say to each other on ES7 (wire.md 5.4, 5.7). */
#include "common/msg/bind_internal.h"

static const char *const ecc_length_names[] = { "ECC-256", "ECC-384", "ECC-512", "ECC-521", NULL };

static const struct bind_field prepare_fields[] = {
	REQUEST_ROWS,
	EID(struct es4_prepare_smsr_change_rq, eid, "Eid"),
	OID(struct es4_prepare_smsr_change_rq, current, "CurrentSMSRid"),
	{ 0 },
};
static const struct bind_group prepare_group = { NULL, sizeof(struct es4_prepare_smsr_change_rq), prepare_fields };
const struct bind_message es4_prepare_smsr_change_request = { "ES4-PrepareSMSRChangeRequest", BASE_REQUEST, &prepare_group };
const struct bind_message es4_prepare_smsr_change_response = { "ES4-PrepareSMSRChangeResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field change_fields[] = {
	REQUEST_ROWS,
	EID(struct es4_smsr_change_rq, eid, "Eid"),
	OID(struct es4_smsr_change_rq, target, "Target-Smsr-id"),
	{ 0 },
};
static const struct bind_group change_group = { NULL, sizeof(struct es4_smsr_change_rq), change_fields };
const struct bind_message es4_smsr_change_request = { "ES4-SMSRChangeRequest", BASE_REQUEST, &change_group };
const struct bind_message es4_smsr_change_response = { "ES4-SMSRChangeResponse", BASE_RESPONSE, &plain_rs_group };

static const struct bind_field handover_fields[] = {
	REQUEST_ROWS,
	GROUP(struct es7_handover_euicc_rq, eis, "Eis", eis_group),
	{ 0 },
};
static const struct bind_group handover_group = { NULL, sizeof(struct es7_handover_euicc_rq), handover_fields };
const struct bind_message es7_handover_euicc_request = { "ES7-HandoverEUICCRequest", BASE_REQUEST, &handover_group };
const struct bind_message es7_handover_euicc_response = { "ES7-HandoverEUICCResponse", BASE_RESPONSE, &plain_rs_group };

/* One of the two names the card: the schema that was seen has Eis, the procedure's text Eid (procedures.md 5.6a). */
static const struct bind_field authenticate_rq_fields[] = {
	REQUEST_ROWS,
	OPT(struct es7_authenticate_smsr_rq, eid, "Eid", BIND_EID, "EIDType"),
	OPT_GROUP(struct es7_authenticate_smsr_rq, eis, "Eis", eis_group),
	ROW(struct es7_authenticate_smsr_rq, certificate, "SmsrCertificate", BIND_HEX, "xs:hexBinary", .min = 1,
	    .max = ES7_CERTIFICATE_MAX),
	{ 0 },
};
static const struct bind_group authenticate_rq_group = { NULL, sizeof(struct es7_authenticate_smsr_rq), authenticate_rq_fields };
const struct bind_message es7_authenticate_smsr_request = { "ES7-AuthenticateSMSRRequest", BASE_REQUEST, &authenticate_rq_group };

static const struct bind_field authenticate_rs_fields[] = {
	RESPONSE_ROWS,
	ROW(struct es7_authenticate_smsr_rs, random_challenge, "RandomChallenge", BIND_HEX, "xs:hexBinary", .flags = BIND_FORCED),
	{ 0 },
};
static const struct bind_group authenticate_rs_group = { NULL, sizeof(struct es7_authenticate_smsr_rs), authenticate_rs_fields };
const struct bind_message es7_authenticate_smsr_response = { "ES7-AuthenticateSMSRResponse", BASE_RESPONSE,
							     &authenticate_rs_group };

#define KEYSET_HEX(m, n, ...) ROW(struct es7_create_additional_keyset_rq, m, n, BIND_HEX, "xs:hexBinary", __VA_ARGS__)

static const struct bind_field keyset_rq_fields[] = {
	REQUEST_ROWS,
	EID(struct es7_create_additional_keyset_rq, eid, "Eid"),
	ROW(struct es7_create_additional_keyset_rq, kvn, "KeyVersionNumber", BIND_INT, "KeysetVersionType", .min = 1, .max = 127),
	ROW(struct es7_create_additional_keyset_rq, counter, "InitialSequenceCounter", BIND_INT, "xs:integer",
	    .max = ES7_COUNTER_MAX),
	ROW(struct es7_create_additional_keyset_rq, ecc_length, "ECCKeyLength", BIND_ENUM, "ECCKeyLengthType",
	    .names = ecc_length_names),
	ROW(struct es7_create_additional_keyset_rq, scenario, "ScenarioParameter", BIND_INT, "xs:byte", .min = INT8_MIN,
	    .max = INT8_MAX),
	KEYSET_HEX(host_id, "HostId", .max = ES7_HOST_ID_MAX),
	KEYSET_HEX(point, "EphemeralPublicKey", .min = 1, .max = ES7_POINT_MAX),
	KEYSET_HEX(signature, "Signature", .min = 1, .max = ES7_POINT_MAX),
	{ 0 },
};
static const struct bind_group keyset_rq_group = { NULL, sizeof(struct es7_create_additional_keyset_rq), keyset_rq_fields };
const struct bind_message es7_create_additional_keyset_request = { "ES7-CreateAdditionalKeySetRequest", BASE_REQUEST,
								   &keyset_rq_group };

/* The schema demands both, even where the card was not asked for a derivation random, and of failures. */
static const struct bind_field keyset_rs_fields[] = {
	RESPONSE_ROWS,
	ROW(struct es7_create_additional_keyset_rs, derivation_random, "DerivationRandom", BIND_HEX, "xs:hexBinary",
	    .flags = BIND_FORCED),
	ROW(struct es7_create_additional_keyset_rs, receipt, "Receipt", BIND_HEX, "xs:hexBinary", .flags = BIND_FORCED),
	{ 0 },
};
static const struct bind_group keyset_rs_group = { NULL, sizeof(struct es7_create_additional_keyset_rs), keyset_rs_fields };
const struct bind_message es7_create_additional_keyset_response = { "ES7-CreateAdditionalKeySetResponse", BASE_RESPONSE,
								    &keyset_rs_group };

result es7_authenticate_eid(struct arena *a, const struct es7_authenticate_smsr_rq *rq, const struct eid **out)
{
	const struct eid *eid = rq->eid ? rq->eid : rq->eis ? &rq->eis->info.eid : NULL;

	if (!eid)
		return failed(a, CODE_PARAM_MISSING, "Eid", "Eid: missing, and no Eis is there");
	if (rq->eid && rq->eis && !eid_equal(rq->eid, &rq->eis->info.eid))
		return failed(a, CODE_PARAM_INVALID, "Eid", "Eid: another than that of the Eis");
	*out = eid;
	return OK;
}
