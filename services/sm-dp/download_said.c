/* SPDX-License-Identifier: Apache-2.0 */
/* What the SM-SR and the card say to the calls of a download. */
#include <string.h>

#include "common/base/random.h"
#include "services/sm-dp/download.h"

enum { AGREEMENT_LEN = P256_SCALAR + P256_POINT };

/* Both parts of an answer's judgement. */
static result say(enum download_event event, result told, enum download_event *out_event, result *out_told)
{
	*out_event = event;
	*out_told = told;
	return OK;
}

/* Status codes of others: those that we have no row for are told as text. */
static bool code_of(const struct status_code_data *code, enum code *out)
{
	for (int c = 0; code && c < CODE_COUNT; c++) {
		const struct status_code *row = status_code((enum code)c);

		if (!strcmp(row->subject, code->subject) && !strcmp(row->reason, code->reason)) {
			*out = (enum code)c;
			return true;
		}
	}
	return false;
}

static bool code_is(const struct response_base *base, enum code code)
{
	enum code found;

	return base->status.code && code_of(base->status.code, &found) && found == code;
}

/* Data of the answers that may have some. */
static struct bytes data_of(enum download_state state, const void *response)
{
	const struct function *fn = download_function(state);

	if (fn->id == FN_ES3_CreateISDP)
		return ((const struct es3_create_isdp_rs *)response)->euicc_response_data;
	if (fn->id == FN_ES3_SendData)
		return ((const struct es3_send_data_rs *)response)->euicc_response_data;
	if (fn->id == FN_ES3_DeleteISDP || fn->id == FN_ES3_EnableProfile)
		return ((const struct card_rs *)response)->euicc_response_data;
	return (struct bytes){ NULL, 0 };
}

/* "ES3-CreateISDP was answered 8.1/4.8: no room, EuiccResponseData ..." with the code itself, if we know it. */
static result passed_on(struct download_case *c, const struct download_said *said)
{
	const struct function *fn = download_function(c->d->state);
	const struct status_code_data *code = said->base->status.code;
	struct result *r = ARENA_NEW(c->a, struct result);
	const char *message = "";

	r->status = said->base->status.status == STATUS_EXPIRED ? STATUS_EXPIRED : STATUS_FAILED;
	r->code = r->status == STATUS_EXPIRED ? CODE_TIME_EXPIRED : CODE_INTERNAL;
	if (code && code->message)
		message = code->message;
	else if (code && code_of(code, &r->code))
		message = status_code(r->code)->text;
	if (code)
		(void)code_of(code, &r->code);
	r->subject_id = code && code->subject_id ? code->subject_id : NULL;
	r->message = arena_printf(c->a, "%s was answered %s/%s: %s%s", fn->wire, code ? code->subject : "-",
				  code ? code->reason : "-", message, card_data_text(c->a, data_of(c->d->state, said->response)));
	return r;
}

/* The status word at the end of an R-APDU (with or without its TLV); 0: there is none. */
static unsigned last_sw(struct bytes data)
{
	return data.len < 2 ? 0 : (unsigned)data.data[data.len - 2] << 8 | data.data[data.len - 1];
}

/* It is not there, whoever says it: the SM-SR's EIS, or the card. */
static bool is_gone(const struct download_said *said)
{
	return code_is(said->base, CODE_ICCID_UNKNOWN) ||
	       last_sw(((const struct card_rs *)said->response)->euicc_response_data) == SW_NOT_FOUND;
}

static bool pol1_forbids(const struct download_said *said)
{
	return code_is(said->base, CODE_POL1_REFUSES) ||
	       last_sw(((const struct card_rs *)said->response)->euicc_response_data) == SW_POL1;
}

/* The list without its first; false: it was the last one. */
static bool leftover_gone(struct download *d)
{
	size_t n = strcspn(d->leftovers, " ");

	d->leftovers += n + strspn(d->leftovers + n, " ");
	return *d->leftovers != '\0';
}

static enum download_event refused_event(struct download_case *c, const struct download_said *said)
{
	struct download *d = c->d;
	bool card = data_of(d->state, said->response).len > 0 || code_is(said->base, CODE_CARD_ERROR);

	if (d->state == DOWNLOAD_CREATE_ISDP)
		return card ? DLEV_BROKEN : DLEV_REFUSED;
	if (download_function(d->state)->id != FN_ES3_DeleteISDP)
		return DLEV_BROKEN;
	if (d->state == DOWNLOAD_CLEANUP) {
		if (is_gone(said))
			return leftover_gone(d) ? DLEV_MORE : DLEV_DONE;
		return pol1_forbids(said) ? DLEV_POL1 : DLEV_BROKEN;
	}
	if (is_gone(said))
		return DLEV_DONE;
	/* Without a profile there is no POL1 that could forbid anything. */
	if (pol1_forbids(said) && d->past > 0)
		return d->told ? DLEV_POL1_LATE : DLEV_POL1;
	return DLEV_BROKEN;
}

/* Good answers ------------------------------------------------------------------------------------------------------------------ */

static result eis_said(struct download_case *c, const struct es4_get_eis_rs *rs, enum download_event *event, result *told)
{
	CLEANUP(secret_free) struct secret package = { 0 };
	struct download *d = c->d;
	struct download_needs needs = { .eid = d->eid,
					.iccid = d->iccid,
					.smdp = c->rpc->self,
					.ci_pem = c->smdp->ci_pem,
					.ci_crl_pem = c->smdp->ci_crl_pem,
					.now_us = d->now };
	uint8_t *ecasd = arena_alloc(c->a, P256_POINT);
	const char *leftovers;
	result r;

	if (!rs->eis)
		return say(DLEV_REFUSED, failed(c->a, CODE_INTERNAL, NULL, "ES3-GetEIS was answered without an EIS"), event, told);
	TRY(download_parts(c));
	if (!c->type)
		return internal(c->a, "download %s: its profile type is gone", d->id);
	needs.memory = c->type->memory;
	r = download_check(c->a, rs->eis, &needs, ecasd, &leftovers);
	if (r != OK)
		return say(DLEV_REFUSED, r, event, told);
	/* What cannot be made must not be begun. */
	r = download_package(c, &package);
	if (r != OK)
		return db_in_transaction(c->db) ? say(DLEV_REFUSED, r, event, told) : r;
	d->ecasd = (struct bytes){ ecasd, P256_POINT };
	d->leftovers = leftovers;
	return say(*leftovers ? DLEV_LEFTOVER : DLEV_DONE, OK, event, told);
}

static result created_said(struct download_case *c, const struct es3_create_isdp_rs *rs, enum download_event *event, result *told)
{
	if (!aid_is_isdp(&rs->isdp_aid))
		return say(DLEV_BROKEN,
			   failed(c->a, CODE_INTERNAL, NULL, "ES3-CreateISDP was answered without the AID of an ISD-P"), event,
			   told);
	c->d->isdp = rs->isdp_aid;
	return say(DLEV_DONE, OK, event, told);
}

static result with_data(struct arena *a, result r, struct bytes data)
{
	return failed(a, r->code, r->subject_id, "%s%s", r->message, card_data_text(a, data));
}

/* The ephemeral key is made now, and signed once: a repetition must be the same call. */
static result challenge_said(struct download_case *c, struct bytes data, enum download_event *event, result *told)
{
	CLEANUP(secret_free) struct secret kept = secret_new(AGREEMENT_LEN);
	const struct ka_template template = ka_template_isdp(CARD_KVN);
	CLEANUP(ka_host_wipe) struct ka_host host = { 0 };
	CLEANUP(buf_free) struct buf request = { 0 };
	struct bytes rc;
	result r = card_challenge_read(c->a, data, &rc);

	if (r != OK)
		return say(DLEV_BROKEN, with_data(c->a, r, data), event, told);
	if (!ka_host_start(&host, &template) || !card_request_build(&request, &host, rc, c->smdp->key))
		return internal(c->a, "no ephemeral key could be made");
	memcpy(kept.data, host.esk, P256_SCALAR);
	memcpy(kept.data + P256_SCALAR, host.epk, P256_POINT);
	download_seal(c, "agreement", kept.data, kept.len);
	c->d->request = (struct bytes){ arena_memdup(c->a, request.data, request.len), request.len };
	return say(DLEV_DONE, OK, event, told);
}

static result receipt_said(struct download_case *c, struct bytes data, enum download_event *event, result *told)
{
	CLEANUP(secret_free) struct secret kept = { 0 };
	CLEANUP(secret_free) struct secret next = secret_new(sizeof(struct card_keys) + SCP03_CHALLENGE);
	CLEANUP(card_keys_wipe) struct card_keys keys = { 0 };
	CLEANUP(ka_host_wipe) struct ka_host host = { .template = ka_template_isdp(CARD_KVN), .form = KA_POINT_FORM };
	result r;

	if (!download_unseal(c, "agreement", &kept) || kept.len != AGREEMENT_LEN || c->d->ecasd.len != P256_POINT)
		return internal(c->a, "download %s: its ephemeral key cannot be read with this KEK", c->d->id);
	memcpy(host.esk, kept.data, P256_SCALAR);
	memcpy(host.epk, kept.data + P256_SCALAR, P256_POINT);
	r = card_receipt_read(c->a, data, &host, c->d->ecasd.data, &keys);
	if (r != OK)
		return say(DLEV_BROKEN, with_data(c->a, r, data), event, told);
	memcpy(next.data, &keys, sizeof(keys));
	random_bytes(next.data + sizeof(keys), SCP03_CHALLENGE);
	download_seal(c, "keys", next.data, next.len);
	c->d->request = (struct bytes){ NULL, 0 };
	return say(DLEV_DONE, OK, event, told);
}

static result installed_said(struct download_case *c, struct bytes data, enum download_event *event, result *told)
{
	CLEANUP(card_install_wipe) struct card_install in = { 0 };
	CLEANUP(secret_free) struct secret package = { 0 };
	struct download *d = c->d;
	result r;

	TRY(download_install(c, &package, &in));
	r = card_install_read(c->a, &in, (size_t)d->first, (size_t)d->past, data);
	if (r != OK && r->code == CODE_INTERNAL) /* ours, not the card's */
		return r;
	if (r != OK)
		return say(DLEV_BROKEN, with_data(c->a, r, data), event, told);
	if ((size_t)d->past == card_segments(package.len))
		return say(DLEV_DONE, OK, event, told);
	d->first = d->past;
	return say(DLEV_MORE, OK, event, told);
}

static result sent_said(struct download_case *c, const void *response, enum download_event *event, result *told)
{
	struct bytes data = data_of(c->d->state, response);

	if (c->d->state == DOWNLOAD_KEY_CERTIFICATE)
		return challenge_said(c, data, event, told);
	return c->d->state == DOWNLOAD_KEY_REQUEST ? receipt_said(c, data, event, told) : installed_said(c, data, event, told);
}

static result good_said(struct download_case *c, const void *response, enum download_event *event, result *told)
{
	struct download *d = c->d;
	enum function_id id = download_function(d->state)->id;

	if (id == FN_ES3_GetEIS)
		return eis_said(c, response, event, told);
	if (id == FN_ES3_CreateISDP)
		return created_said(c, response, event, told);
	if (id == FN_ES3_SendData)
		return sent_said(c, response, event, told);
	if (id == FN_ES3_ProfileDownloadCompleted)
		return say(d->enable ? DLEV_ENABLE : DLEV_DONE, OK, event, told);
	return say(d->state == DOWNLOAD_CLEANUP && leftover_gone(d) ? DLEV_MORE : DLEV_DONE, OK, event, told);
}

/* No Response: what was asked may have been done. */
static result silence(struct download_case *c, const struct download_said *said, enum download_event *event, result *told)
{
	const struct function *fn = download_function(c->d->state);

	if (said->fault)
		return say(DLEV_BROKEN,
			   failed(c->a, CODE_INTERNAL, NULL, "%s was answered by a SOAP Fault: %s", fn->wire, said->fault), event,
			   told);
	/* Those that are answered at once are asked again as long as there is time. */
	if (fn->mep == MEP_SYNC)
		return say(DLEV_WAIT, OK, event, told);
	return say(DLEV_SILENT, download_expired(c->a, c->d->state, "the SM-SR gave no answer"), event, told);
}

/* Said of the moment. While it is cleaned up that is true of what went wrong in the SM-SR as well: what is given up stays on the card. */
static bool passes(const struct download_case *c, const struct download_said *said)
{
	bool cleans = download_cleans(c->d->state) || c->d->state == DOWNLOAD_KEEP;

	return code_is(said->base, CODE_BUSY) ||
	       (cleans && code_is(said->base, CODE_INTERNAL) && !data_of(c->d->state, said->response).len);
}

result download_judge(struct download_case *c, const struct download_said *said, enum download_event *out_event, result *out_told)
{
	enum status status;

	if (!said->base)
		return silence(c, said, out_event, out_told);
	status = said->base->status.status;
	if (status == STATUS_SUCCESS || status == STATUS_WARNING)
		return good_said(c, said->response, out_event, out_told);
	if (status == STATUS_EXPIRED)
		return say(DLEV_SILENT, passed_on(c, said), out_event, out_told);
	if (passes(c, said))
		return say(DLEV_WAIT, OK, out_event, out_told);
	return say(refused_event(c, said), passed_on(c, said), out_event, out_told);
}
