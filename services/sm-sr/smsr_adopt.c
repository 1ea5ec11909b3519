/* SPDX-License-Identifier: Apache-2.0 */
/* A card comes from another SM-SR: the receipt holds, and it is ours whatever follows (procedures.md 3.20 steps 23, 27, 31, 32; decisions.md E2). */
#include <string.h>

#include "common/auth/eis_trust.h"
#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/base/metrics.h"
#include "common/crypto/keys.h"
#include "common/rpc/json_out.h"
#include "services/sm-sr/isdr_keys.h"
#include "services/sm-sr/procedure_internal.h"
#include "services/sm-sr/sms_trigger.h"
#include "services/sm-sr/smsr_change.h"

enum {
	KVN_FIRST = 0x01, /* of SCP80 sets */
	KVN_LAST = 0x0F,
	KIC = 1, /* indices in such a set */
	KID = 2,
	KEYS_MAX = 3,
};
#define COUNTER_MAX INT64_C(0xFFFFFFFFFF)

/* What is handed over. */
struct adoption {
	struct eis eis;
	struct oid former, requester;
	const char *context_id;
	int64_t kvn, counter;
	struct stored_key keys[KEYS_MAX];
	size_t n_keys;
	struct eis_signer signer;
};

/* ---- the request ---- */

static bool key_hex(struct arena *a, const json_t *o, const char *member, size_t min, struct bytes *out)
{
	const char *text = json_string_value(json_object_get(o, member));
	size_t n = text ? strlen(text) : 0;
	uint8_t *data = arena_alloc(a, n / 2 + 1);

	if (n % 2 || n / 2 < min || !hex_decode(text, n, data))
		return false;
	*out = (struct bytes){ data, n / 2 };
	return true;
}

/* Wrapped under our KEK, for this very place, and with this check value: what the card would not understand must not be stored. */
static bool key_read(const struct asking *q, const struct adoption *n, const json_t *o, struct stored_key *out)
{
	struct secret key = { 0 };
	struct bytes type, kcv;
	uint8_t own[KCV_LEN];
	bool good;

	out->version = n->kvn;
	out->index = json_integer_value(json_object_get(o, "index"));
	if (out->index < 1 || out->index > 127 || !key_hex(q->a, o, "type", 1, &type) || type.len != 1 ||
	    !key_hex(q->a, o, "kcv", KCV_LEN, &kcv) || kcv.len != KCV_LEN || !key_hex(q->a, o, "wrapped", 1, &out->wrapped))
		return false;
	out->type = type.data[0];
	memcpy(out->kcv, kcv.data, KCV_LEN);
	good = isdr_key_open(q->role, &q->eid, n->kvn, out->index, out->wrapped, &key) &&
	       key_kcv(out->type, key.data, key.len, own) && !memcmp(own, out->kcv, KCV_LEN);
	secret_free(&key);
	return good;
}

static result keys_read(const struct asking *q, struct adoption *n)
{
	const json_t *all = json_object_get(q->in, "keys");
	bool kic = false, kid = false;

	if (!json_is_array(all) || json_array_size(all) > KEYS_MAX)
		return asking_bad(q, "keys");
	for (; n->n_keys < json_array_size(all); n->n_keys++) {
		struct stored_key *k = &n->keys[n->n_keys];

		if (!key_read(q, n, json_array_get(all, n->n_keys), k))
			return failed(q->a, CODE_ISDR_KEY_INVALID, "keys",
				      "keys: no. %zu does not open here, or is not what its kcv says", n->n_keys + 1);
		for (size_t i = 0; i < n->n_keys; i++)
			if (n->keys[i].index == k->index)
				return asking_bad(q, "keys");
		kic |= k->index == KIC;
		kid |= k->index == KID;
	}
	return kic && kid ? OK : asking_bad(q, "keys"); /* without them no word reaches the card */
}

static result eis_read(const struct asking *q, struct adoption *n)
{
	const char *text = asking_text(q, "eis");

	if (!text)
		return asking_bad(q, "eis");
	TRY(eis_text_read(q->a, (struct bytes){ (const uint8_t *)text, strlen(text) }, &n->eis));
	if (!eid_equal(&n->eis.info.eid, &q->eid))
		return failed(q->a, CODE_PARAM_INVALID, "Eid", "Eid: the EIS is that of another eUICC");
	TRY(eis_check_handover(q->a, &n->eis));
	for (size_t i = 0; i < n->eis.isdr.n_keysets; i++)
		if (n->eis.isdr.keysets[i].version == n->kvn)
			return failed(q->a, CODE_PARAM_INVALID, "kvn", "kvn: the ISD-R has a key set %lld already",
				      (long long)n->kvn);
	return OK;
}

static result request_read(const struct asking *q, struct adoption *n)
{
	const char *former = asking_text(q, "former"), *requester = asking_text(q, "operator");

	if (!former || !oid_parse(former, &n->former))
		return asking_bad(q, "former");
	if (!requester || !oid_parse(requester, &n->requester))
		return asking_bad(q, "operator");
	n->context_id = asking_text(q, "context_id");
	if (!n->context_id)
		return asking_bad(q, "context_id");
	if (!asking_number(q, "kvn", KVN_FIRST, KVN_LAST, &n->kvn))
		return asking_bad(q, "kvn");
	if (!asking_number(q, "counter", 0, COUNTER_MAX, &n->counter))
		return asking_bad(q, "counter");
	TRY(eis_read(q, n));
	return keys_read(q, n);
}

/* ---- what becomes of it ---- */

/* The sm-sr-handover has judged the signature before the commit point. From there on a certificate that expired meanwhile, or another CI in
 * our configuration, must not leave the card without an SM-SR: it is said, loudly. */
static void signer_find(const struct asking *q, struct adoption *n)
{
	const struct smsr *smsr = q->role;
	const struct sig_result found = eis_signature_find(q->a, &n->eis, smsr->ci_pem, smsr->ci_crl_pem, clock_wall_us());
	result r = eis_signature_check(q->a, &n->eis, &found);

	n->signer = (struct eis_signer){ found.cert_der, found.revoked };
	if (r == OK && !found.revoked)
		return;
	metric_add(r == OK ? "rsp_eis_signer_revoked_total" : "rsp_adopt_unverified_total", "", 1);
	log_msg(LOG_WARN, "adopt_signer", "eid %s: %s", q->eid.text,
		r == OK      ? "the EUM certificate that signed its EIS is revoked"
		: r->message ? r->message
			     : status_code(r->code)->text);
}

/* The sets of the SM-SR before by their versions, whose keys we never had, and ours. */
static void keysets_join(struct arena *a, struct adoption *n)
{
	struct security_domain *isdr = &n->eis.isdr;
	struct keyset *all = arena_array(a, isdr->n_keysets + 1, sizeof(*all)), *own = &all[isdr->n_keysets];

	for (size_t i = 0; i < isdr->n_keysets; i++)
		all[i] = (struct keyset){ .version = isdr->keysets[i].version,
					  .type = isdr->keysets[i].type,
					  .counter = isdr->keysets[i].counter };
	own->version = n->kvn;
	own->type = arena_alloc(a, sizeof(*own->type));
	*own->type = KEYSET_SCP80;
	own->counter = &n->counter;
	isdr->keysets = all;
	isdr->n_keysets++;
}

static const char *iccids_of(struct arena *a, const struct eis *eis)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_str(&text, "");
	for (size_t i = 0; i < eis->n_profiles; i++)
		buf_printf(&text, "%s%s", i ? " " : "", eis->profiles[i].iccid.text);
	return arena_strdup(a, text.data);
}

/* What adopt and announce must know; iccids: of whose other owners is asked. */
struct adopt_facts {
	bool managed, announced, http;
	bool went_on; /* this handover brought it here, and another took it away */
	const char *handover, *context_id, *shared; /* NULL: none */
	int64_t now;
};

static result facts_load(const struct asking *q, const char *iccids, struct adopt_facts *out)
{
	const struct rows *row;

	DB_QUEUE(q->db, SMSR_ADOPT_FACTS, p_text(q->eid.text), p_text(iccids), p_text(q->handover));
	TRY(db_sync(q->db, q->a, &row, 1, NULL));
	*out = (struct adopt_facts){ .managed = row_bool(row, 0, 0),
				     .handover = row_text_dup(q->a, row, 0, 1),
				     .context_id = row_text_dup(q->a, row, 0, 4),
				     .announced = row_bool(row, 0, 5),
				     .http = row_bool(row, 0, 6),
				     .shared = row_text_dup(q->a, row, 0, 7),
				     .now = row_int(row, 0, 8),
				     .went_on = row_bool(row, 0, 9) };
	return OK;
}

static void adopted_event(const struct asking *q, const struct adoption *n, int64_t now)
{
	char at[DATETIME_MAX];

	datetime_format(now, at);
	outbox_event(q->db, q->a, "eis.adopted", q->eid.text, q->trace,
		     arena_printf(q->a, "{\"eid\":\"%s\",\"eum\":\"%s\",\"former\":\"%s\",\"smsr\":\"%s\",\"at\":\"%s\"}",
				  q->eid.text, n->eis.info.eum.text, n->former.text, q->rpc->self.text, at));
}

static void adopt(const struct asking *q, struct adoption *n, const struct adopt_facts *facts)
{
	signer_find(q, n);
	keysets_join(q->a, n);
	n->eis.smsr = q->rpc->self;
	if (facts->shared) /* which card has it is seen when they are audited */
		log_msg(LOG_WARN, "adopt_iccid", "eid %s: its ICCID is another card's here, too: %s", q->eid.text, facts->shared);
	eis_insert(q->db, q->a, &n->eis, &n->signer, n->keys, n->n_keys, true);
	DB_QUEUE(q->db, SMSR_ADOPT, p_text(q->eid.text), p_text(q->handover), p_text(n->former.text), p_text(n->requester.text),
		 p_text(n->context_id), audit_trail_param(q->a, &q->eid, n->eis.audit_trail));
	adopted_event(q, n, facts->now);
}

/* A card that speaks HTTPS and cannot be told where to gets no key for it: with one it would go on calling the SM-SR before. */
static void say_https(struct asking *q, bool http)
{
	const struct smsr *smsr = q->role;
	bool https = http && sms_home_told(smsr->config);

	if (http && !https)
		log_msg(LOG_WARN, "adopt_without_https", "eid %s: without an IPv4 address as CARDS_HOST it is reached by SMS alone",
			q->eid.text);
	buf_printf(q->out, ",\"https\":%s", https ? "true" : "false");
}

/* Not uncertain: what its SM-SR knew until now is as good as ever, and the sm-sr-handover has the card audited when it has its new keys (E2);
 * an uncertain one would have to be asked for its list by SMS before that. */
result asked_adopt(struct asking *q)
{
	struct adoption *n = ARENA_NEW(q->a, struct adoption);
	struct adopt_facts facts;

	TRY(request_read(q, n));
	TRY(facts_load(q, iccids_of(q->a, &n->eis), &facts));
	if (facts.managed && !(facts.handover && !strcmp(facts.handover, q->handover)))
		return failed(q->a, CODE_EUICC_MANAGED, q->eid.text, NULL);
	if (facts.went_on) /* its keys here are dead, and its SM-SR is another one */
		return failed(q->a, CODE_SMSR_CHANGE_ENDED, q->eid.text,
			      "this SM-SR change brought the eUICC here once, and it has gone on to another SM-SR");
	if (!facts.managed)
		adopt(q, n, &facts);
	say_https(q, facts.managed ? facts.http : n->eis.info.capabilities.http_support);
	return OK;
}

/* ---- announce ---- */

/* What is told to the owner of a profile, in its view (D2). */
static struct eis *eis_for(const struct card_case *c, const struct oid *mno)
{
	struct eis *eis = arena_memdup(c->a, &c->eis, sizeof(*eis));

	eis->profiles = arena_memdup(c->a, eis->profiles, eis->n_profiles * sizeof(*eis->profiles));
	eis->isdr.keysets = arena_memdup(c->a, eis->isdr.keysets, eis->isdr.n_keysets * sizeof(*eis->isdr.keysets));
	(void)eis_filter(eis, VIEW_OPERATOR, mno, NULL, 0);
	return eis;
}

static void tell(struct card_case *c, const struct told_by *way, const char *context_id)
{
	struct es3_smsr_change_notification *n = ARENA_NEW(c->a, struct es3_smsr_change_notification);

	*n = (struct es3_smsr_change_notification){ { .eis = *eis_for(c, &way->mno), .completed = c->now }, way->mno };
	outbox_send(c->db, c->a,
		    &(const struct outbox_message){ .fn = function_by_id(way->direct ? FN_ES4_HandleSMSRChangeNotification
										     : FN_ES3_HandleSMSRChangeNotification),
						    .kind = OUTBOX_NOTIFY,
						    .to = way->direct ? &way->mno : &way->by,
						    .eid = c->eid.text,
						    .context_id = *context_id ? context_id : NULL,
						    .in = n, /* the ES4 one is its first member */
						    .give_up_s = c->rpc->notify_give_up_s });
	c->outbox = true;
}

static bool told_before(const struct told_by *const *told, size_t n, const struct oid *mno)
{
	for (size_t i = 0; i < n; i++)
		if (oid_equal(&told[i]->mno, mno))
			return true;
	return false;
}

/* Each once, however many profiles it has; its ONC does not matter (procedures.md 3.18), and who ordered the change is told, too: its order was
 * the other SM-SR's. To whom nothing leads, nothing is said. */
static void tell_owners(struct card_case *c, const char *context_id)
{
	const struct told_by **told = arena_array(c->a, c->eis.n_profiles, sizeof(const struct told_by *));
	size_t n = 0;

	for (size_t i = 0; i < c->eis.n_profiles; i++) {
		const struct profile_info *p = &c->eis.profiles[i];
		const struct told_by *way = p->state != PROFILE_IN_CREATION ? case_route(c, p) : NULL;

		if (!way || !(way->direct || way->by.text[0]) || told_before(told, n, &p->mno))
			continue;
		told[n++] = way;
		tell(c, way, context_id);
	}
	card_log(c, LOG_INFO, "smsr_change_announced", "%zu owners of profiles are told", n);
}

/* The card may have gone on already: then others announce it. */
result asked_announce(struct asking *q)
{
	struct adopt_facts facts;
	struct card_case *c;

	TRY(asking_case(q, &c));
	TRY(facts_load(q, "", &facts));
	if (!c->known || !facts.handover || strcmp(facts.handover, q->handover) != 0 || facts.announced)
		return OK;
	tell_owners(c, facts.context_id);
	DB_QUEUE(q->db, SMSR_ANNOUNCED, p_text(q->eid.text), p_text(q->handover));
	return OK;
}
