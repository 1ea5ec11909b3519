/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a download to its card's SM-SR: an outbox row each, in the transaction that moves the download (decisions.md B1). */
#include <string.h>

#include "common/base/fault.h"
#include "common/sgp02/relay_state.h"
#include "services/sm-dp/download.h"

enum {
	S_US = 1000000,
	MS_US = 1000,
	GRACE_S = 1, /* so long behind its time an answer may be on its way */
};

const struct function *download_function(enum download_state state)
{
	static const enum function_id ids[DOWNLOAD_STATES] = {
		[DOWNLOAD_GET_EIS] = FN_ES3_GetEIS,
		[DOWNLOAD_CLEANUP] = FN_ES3_DeleteISDP,
		[DOWNLOAD_CREATE_ISDP] = FN_ES3_CreateISDP,
		[DOWNLOAD_KEY_CERTIFICATE] = FN_ES3_SendData,
		[DOWNLOAD_KEY_REQUEST] = FN_ES3_SendData,
		[DOWNLOAD_INSTALL] = FN_ES3_SendData,
		[DOWNLOAD_COMPLETE] = FN_ES3_ProfileDownloadCompleted,
		[DOWNLOAD_ENABLE] = FN_ES3_EnableProfile,
		[DOWNLOAD_DELETE] = FN_ES3_DeleteISDP,
		[DOWNLOAD_KEEP] = FN_ES3_ProfileDownloadCompleted,
		[DOWNLOAD_DELETE_EXPIRED] = FN_ES3_DeleteISDP,
		[DOWNLOAD_KEEP_EXPIRED] = FN_ES3_ProfileDownloadCompleted,
	};

	return download_ended(state) || state >= DOWNLOAD_STATES ? NULL : function_by_id(ids[state]);
}

int64_t download_validity_s(const struct function *fn, int64_t rest_us)
{
	int64_t s = relay_nested_s(rest_us / MS_US);

	if (s < fn->validity.min_s)
		return 0;
	return s < fn->validity.max_s ? s : fn->validity.max_s;
}

/* Requests, in the arena -------------------------------------------------------------------------------------------------------- */

static bool *flag(struct arena *a, bool value)
{
	return arena_memdup(a, &value, sizeof(value));
}

static result send_data(struct download_case *c, const struct request_base *base, const struct aid *target, struct bytes data,
			bool more, const void **out)
{
	*out = arena_memdup(c->a,
			    &(struct es3_send_data_rq){ .base = *base,
							.eid = c->d->eid,
							.sd_aid = *target,
							.data = { arena_memdup(c->a, data.data, data.len), data.len },
							.more_to_do = flag(c->a, more) },
			    sizeof(struct es3_send_data_rq));
	return OK;
}

static result certificate_request(struct download_case *c, const struct request_base *base, const void **out)
{
	CLEANUP(buf_free) struct buf data = { 0 };

	if (!card_certificate_build(&data, &c->d->isdp, c->smdp->certificate))
		return internal(c->a, "the SM-DP's certificate does not fit a command");
	return send_data(c, base, &AID_ISDR, (struct bytes){ (const uint8_t *)data.data, data.len }, true, out);
}

static result key_request(struct download_case *c, const struct request_base *base, const void **out)
{
	return send_data(c, base, &AID_ISDR, c->d->request, true, out);
}

/* From here on its secrets are on their way to this card (D6). */
static result mark_sent(struct download_case *c)
{
	TRY(download_parts(c));
	if (!c->item || !stock_move(c->db, c->a, c->item, STEV_SENT, NULL))
		return internal(c->a, "download %s: its ICCID is not reserved any more", c->d->id);
	return OK;
}

static result install_request(struct download_case *c, const struct request_base *base, const void **out)
{
	CLEANUP(card_install_wipe) struct card_install in = { 0 };
	CLEANUP(secret_free) struct secret package = { 0 };
	CLEANUP(buf_free) struct buf data = { 0 };
	struct download *d = c->d;
	size_t all;

	TRY(download_install(c, &package, &in));
	all = card_segments(package.len);
	if (d->past == d->first) {
		size_t past = (size_t)d->first + card_segments_in(c->smdp->config->send_bytes);

		d->past = (int64_t)(past < all ? past : all);
	}
	if (!card_install_build(&data, &in, (size_t)d->first, (size_t)d->past))
		return internal(c->a, "download %s: its segments could not be made", d->id);
	TRY(mark_sent(c));
	/* The session stays for EnableProfile (C1). */
	return send_data(c, base, &d->isdp, (struct bytes){ (const uint8_t *)data.data, data.len },
			 (size_t)d->past < all || d->enable, out);
}

static result completed_request(struct download_case *c, const struct request_base *base, const void **out)
{
	struct es3_profile_download_completed_rq *rq = ARENA_NEW(c->a, struct es3_profile_download_completed_rq);
	struct subscription_address *address = ARENA_NEW(c->a, struct subscription_address);
	struct pol2 *pol2 = ARENA_NEW(c->a, struct pol2);

	TRY(download_parts(c));
	if (!c->type || !c->item || !type_pol2_parse(c->a, c->type->pol2, pol2))
		return internal(c->a, "download %s: its profile type or ICCID cannot be read", c->d->id);
	address->imsi = c->type->address & ADDRESS_IMSI ? c->item->imsi : NULL;
	address->msisdn = c->type->address & ADDRESS_MSISDN ? c->item->msisdn : NULL;
	*rq = (struct es3_profile_download_completed_rq){ .base = *base,
							  .eid = c->d->eid,
							  .iccid = c->d->iccid,
							  .profile_type = c->d->type,
							  .address = address->imsi || address->msisdn ? address : NULL,
							  .pol2 = pol2 };
	*out = rq;
	return OK;
}

static result create_request(struct download_case *c, const struct request_base *base, const void **out)
{
	struct es3_create_isdp_rq *rq = ARENA_NEW(c->a, struct es3_create_isdp_rq);

	TRY(download_parts(c));
	if (!c->type)
		return internal(c->a, "download %s: its profile type is gone", c->d->id);
	*rq = (struct es3_create_isdp_rq){ .base = *base,
					   .eid = c->d->eid,
					   .iccid = c->d->iccid,
					   .mno = c->d->mno,
					   .required_memory = c->type->memory,
					   .more_to_do = flag(c->a, true) };
	*out = rq;
	return OK;
}

static result profile_request(struct download_case *c, const struct request_base *base, const struct iccid *iccid, const void **out)
{
	*out = arena_memdup(c->a, &(struct es4_profile_rq){ *base, c->d->eid, *iccid }, sizeof(struct es4_profile_rq));
	return OK;
}

static result leftover_request(struct download_case *c, const struct request_base *base, const void **out)
{
	char *first = arena_strdup(c->a, c->d->leftovers);
	struct iccid iccid;

	first[strcspn(first, " ")] = '\0';
	if (!iccid_parse(first, &iccid))
		return internal(c->a, "download %s: its leftovers cannot be read", c->d->id);
	return profile_request(c, base, &iccid, out);
}

static result own_request(struct download_case *c, const struct request_base *base, const void **out)
{
	return profile_request(c, base, &c->d->iccid, out);
}

static result eis_request(struct download_case *c, const struct request_base *base, const void **out)
{
	*out = arena_memdup(c->a, &(struct es4_get_eis_rq){ *base, c->d->eid }, sizeof(struct es4_get_eis_rq));
	return OK;
}

/* By state. */
static result (*const request_of[DOWNLOAD_STATES])(struct download_case *c, const struct request_base *base, const void **out) = {
	[DOWNLOAD_GET_EIS] = eis_request,        [DOWNLOAD_CLEANUP] = leftover_request,
	[DOWNLOAD_CREATE_ISDP] = create_request, [DOWNLOAD_KEY_CERTIFICATE] = certificate_request,
	[DOWNLOAD_KEY_REQUEST] = key_request,    [DOWNLOAD_INSTALL] = install_request,
	[DOWNLOAD_COMPLETE] = completed_request, [DOWNLOAD_ENABLE] = own_request,
	[DOWNLOAD_DELETE] = own_request,         [DOWNLOAD_KEEP] = completed_request,
	[DOWNLOAD_DELETE_EXPIRED] = own_request, [DOWNLOAD_KEEP_EXPIRED] = completed_request,
};

/* ------------------------------------------------------------------------------------------------------------------------------- */

int64_t download_until(const struct download_case *c)
{
	int64_t until = c->d->deadline;

	return download_cleans(c->d->state) ? until + (int64_t)c->smdp->config->cleanup_s * S_US : until;
}

int64_t download_due(const struct download_case *c, int64_t at)
{
	int64_t until = download_until(c), now = c->d->now;

	if (!c->d->told && c->d->deadline > now && c->d->deadline < until)
		until = c->d->deadline;
	return at < until ? at : until;
}

result download_call(struct download_case *c, bool again, bool *out_called)
{
	struct download *d = c->d;
	const struct function *fn = download_function(d->state);
	int64_t validity = download_validity_s(fn, download_until(c) - d->now);
	const char *ref = download_ref(c->a, d);
	const struct request_base base = { .fci = ref, .validity_s = arena_memdup(c->a, &validity, sizeof(validity)) };
	struct outbox_message m = { .fn = fn,
				    .kind = OUTBOX_REQUEST,
				    .to = &d->smsr,
				    .eid = d->eid.text,
				    .ref = ref,
				    .transaction_id = ref,
				    .context_id = d->context_id,
				    .trace = d->trace,
				    .wants_callback = fn->mep == MEP_DEFERRED };

	*out_called = validity > 0;
	if (!*out_called)
		return OK;
	TRY(request_of[d->state](c, &base, &m.in));
	m.give_up_s = validity;
	outbox_send(c->db, c->a, &m);
	c->sent = true;
	d->wait = again ? DOWNLOAD_REPEATED : DOWNLOAD_SENT;
	d->call_until = d->now + validity * S_US;
	d->due_at = download_due(c, d->call_until + (int64_t)GRACE_S * S_US);
	(void)FAULT(arena_printf(c->a, "sm-dp.download.%s.called", download_state_name(d->state)), d->eid.text);
	return OK;
}
