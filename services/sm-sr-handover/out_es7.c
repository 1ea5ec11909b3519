/* SPDX-License-Identifier: Apache-2.0 */
/* What SM-SR2 asks of SM-SR1 while HandoverEUICC is open (SGP.02 5.6; procedures.md 3.20, steps 7 to 22). Everything is checked here that the
 * card would refuse, so that it gets nothing else. */
#include <stdio.h>
#include <string.h>

#include "common/card/isdr_agreement.h"
#include "services/sm-sr-handover/out.h"

enum { S_US = 1000000, SCENARIO_BITS = KA_DELETE_KEYS | KA_WITH_DR | KA_WITH_HOST_ID | KA_CERTIFIED };

/* ---- who may ---- */

static void eid_queue(struct rq *rq, const struct eid *eid)
{
	DB_QUEUE(rq->db, HANDOVER_OUT_OF_EID, p_text(eid ? eid->text : ""));
}

/* The announced SM-SR, in its time, when it is its turn; anybody else does not learn whether there is such a card. */
static result take(struct rq *rq, const struct eid *eid, const struct rows *rows, enum handover_out_event event,
		   struct relation_facts *facts)
{
	struct out_case *c = ARENA_NEW(rq->arena, struct out_case);
	const struct handover_out *h;

	*c = (struct out_case){ .role = rq->role, .db = rq->db, .a = rq->arena };
	TRY(out_row(rq->arena, rows, &c->h));
	h = c->h;
	facts->eid = *eid;
	(void)snprintf(rq->eid, sizeof(rq->eid), "%s", eid->text);
	if (h && oid_equal(&h->target, &rq->caller->oid) && h->now < h->deadline &&
	    handover_out_next(h->state, event) != HANDOVER_OUT_STATES)
		facts->handover = HANDOVER_PARTNERS;
	rq->loaded = c;
	return OK;
}

/* The command is queued, and the call waits for what becomes of it. */
static result begin(struct rq *rq, struct out_case *c, enum handover_out_event event, const struct buf *apdu)
{
	struct handover_out *h = c->h;

	c->apdu = (struct bytes){ (const uint8_t *)apdu->data, apdu->len };
	h->fci = rq->claim_key;
	h->called_at = rq->received_us;
	h->call_until = h->now + (int64_t)rq->validity_s * S_US;
	if (h->call_until > h->deadline)
		h->call_until = h->deadline;
	TRY(out_step(c, event, OK));
	rq->outbox = true;
	return OK;
}

void handover_out_asked_committed(struct rq *rq)
{
	out_committed(rq->loaded);
}

/* ---- AuthenticateSMSR ---- */

static void authenticate_queue(struct rq *rq, const void *in)
{
	const struct eid *eid = NULL;

	(void)es7_authenticate_eid(rq->arena, in, &eid);
	eid_queue(rq, eid);
}

static result authenticate_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct eid *eid;

	TRY(es7_authenticate_eid(rq->arena, in, &eid));
	return take(rq, eid, rows[0], HOEV_AUTHENTICATE, facts);
}

const struct load authenticate_smsr_load = { .results = 1, .queue = authenticate_queue, .take = authenticate_take };

static result bad_certificate(struct arena *a, const char *why)
{
	return failed(a, CODE_SMSR_CERT_INVALID, "SmsrCertificate", "SmsrCertificate: %s", why);
}

/* Cards have no clock: that it is not over, and has begun, nobody else checks (D4: revocation never refuses). */
static result certificate_in_time(struct arena *a, struct bytes tlv, int64_t now)
{
	struct gp_cert cert;
	char today[GP_DATE + 1];

	gp_date(now, today);
	if (!gp_cert_parse(tlv, &cert))
		return bad_certificate(a, "not a certificate in GlobalPlatform form (7F21...)");
	if (strcmp(cert.expires, today) < 0)
		return failed(a, CODE_SMSR_CERT_EXPIRED, "SmsrCertificate", NULL);
	return cert.effective && strcmp(cert.effective, today) > 0 ? bad_certificate(a, "not valid yet") : OK;
}

static result certificate_check(const struct out_case *c, struct bytes tlv)
{
	uint8_t point[P256_POINT];
	enum ka_verdict verdict = ka_certificate_check(tlv, c->role->own.ci_point, GP_ROLE_SM_SR, point);

	if (verdict == KA_MALFORMED)
		return bad_certificate(c->a, "not a certificate in GlobalPlatform form (7F21...)");
	if (verdict == KA_WRONG_ROLE)
		return bad_certificate(c->a, "not of an SM-SR");
	if (verdict == KA_WRONG_USAGE)
		return bad_certificate(c->a, "its key is not for verifying signatures");
	return verdict == KA_GOOD ? certificate_in_time(c->a, tlv, c->h->now) : bad_certificate(c->a, "not issued by the CI");
}

result authenticate_smsr(struct rq *rq, const void *in, void *out)
{
	const struct es7_authenticate_smsr_rq *request = in;
	struct out_case *c = rq->loaded;
	CLEANUP(buf_free) struct buf apdu = { 0 };

	(void)out; /* the card has it */
	TRY(certificate_check(c, request->certificate));
	if (!ka_certificate_build(&apdu, request->certificate))
		return bad_certificate(rq->arena, "too long for a command to the eUICC");
	c->h->certificate = request->certificate;
	return begin(rq, c, HOEV_AUTHENTICATE, &apdu);
}

/* ---- CreateAdditionalKeySet ---- */

static void keyset_queue(struct rq *rq, const void *in)
{
	const struct es7_create_additional_keyset_rq *request = in;

	eid_queue(rq, &request->eid);
}

static result keyset_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es7_create_additional_keyset_rq *request = in;

	return take(rq, &request->eid, rows[0], HOEV_KEYSET, facts);
}

const struct load create_additional_keyset_load = { .results = 1, .queue = keyset_queue, .take = keyset_take };

static result invalid(struct arena *a, const char *name, const char *why)
{
	return failed(a, CODE_PARAM_INVALID, name, "%s: %s", name, why);
}

static bool in_use(const struct eis *eis, int64_t kvn)
{
	for (size_t i = 0; i < eis->isdr.n_keysets; i++)
		if (eis->isdr.keysets[i].version == kvn)
			return true;
	return false;
}

static result parameters_check(struct arena *a, const struct es7_create_additional_keyset_rq *rq, const struct eis *eis)
{
	if (rq->kvn < SCP80_KVN_FIRST || rq->kvn > SCP80_KVN_LAST)
		return invalid(a, "KeyVersionNumber", "a key set for SCP80 has 1 to 15");
	if (in_use(eis, rq->kvn))
		return invalid(a, "KeyVersionNumber", "the eUICC has such a key set");
	if (rq->ecc_length != ES7_ECC_256)
		return invalid(a, "ECCKeyLength", "the eUICC's keys are on P-256: ECC-256");
	if (rq->scenario < 0 || (rq->scenario & ~(int64_t)SCENARIO_BITS) || !(rq->scenario & KA_CERTIFIED))
		return invalid(a, "ScenarioParameter", "should be 08, with 02 for a derivation random, with 04 for a host id");
	if (((rq->scenario & KA_WITH_HOST_ID) != 0) != (rq->host_id.len > 0))
		return invalid(a, "HostId", "it goes with bit 04 of ScenarioParameter");
	if (rq->counter < 0 || rq->counter > ES7_COUNTER_MAX)
		return invalid(a, "InitialSequenceCounter", "should be in 0..1099511627775");
	return rq->signature.len == P256_SIGNATURE ? OK : invalid(a, "Signature", "should be r and s, 64 bytes");
}

/* The card's name in a host id's company; false: it has none that fits. */
static const struct ka_name *sdin_of(struct arena *a, const struct eis *eis)
{
	struct ka_name *name = ARENA_NEW(a, struct ka_name);

	return eis->isdr.sdin.len && ka_name_set(name, eis->isdr.sdin) ? name : NULL;
}

static result build(struct out_case *c, const struct es7_create_additional_keyset_rq *rq, const struct eis *eis, struct buf *apdu)
{
	const struct isdr_offer offer = { .kvn = (uint8_t)rq->kvn,
					  .counter = rq->counter,
					  .scenario = (uint8_t)rq->scenario,
					  .host_id = rq->host_id,
					  .point = rq->point,
					  .signature = rq->signature };
	const struct handover_out *h = c->h;
	enum ka_verdict verdict;
	struct gp_cert cert;

	if (!gp_cert_parse(h->certificate, &cert))
		return internal(c->a, "handover %s: the certificate in its row cannot be read", h->id);
	verdict = isdr_agreement_request(&offer, sdin_of(c->a, eis), h->challenge, cert.point, apdu);
	if (verdict == KA_MALFORMED)
		return invalid(c->a, "EphemeralPublicKey", "not a point of P-256");
	if (verdict == KA_BAD_SIGNATURE)
		return failed(c->a, CODE_ISDR_KEY_INVALID, "Signature",
			      "Signature: does not hold over these values, the challenge and the key of SmsrCertificate");
	return verdict == KA_GOOD ? OK : invalid(c->a, "ScenarioParameter", "there is no such key agreement");
}

result create_additional_keyset(struct rq *rq, const void *in, void *out)
{
	const struct es7_create_additional_keyset_rq *request = in;
	struct out_case *c = rq->loaded;
	CLEANUP(buf_free) struct buf apdu = { 0 };
	struct eis eis;

	(void)out;
	if (!c->h->eis || !out_eis(rq->arena, &c->h->eid, c->h->eis, &eis))
		return internal(rq->arena, "handover %s: the EIS in its row cannot be read", c->h->id);
	TRY(parameters_check(rq->arena, request, &eis));
	TRY(build(c, request, &eis, &apdu));
	return begin(rq, c, HOEV_KEYSET, &apdu);
}
