/* SPDX-License-Identifier: Apache-2.0 */
/* Orders at a gateway: what the options say, and what an operation's end means. Pure. */
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

bool number_parse(const char *text, unsigned *out)
{
	if (!*text || strlen(text) > 6 || strspn(text, "0123456789") != strlen(text))
		return false;
	*out = (unsigned)atoi(text);
	return true;
}

/* "a,b": a list of strings; false: one is no ICCID. */
static bool take_iccids(struct ctl *c, const char *text, json_t *body)
{
	json_t *list = json_array();

	json_object_set_new(body, "iccids", list);
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, ",");
		struct iccid iccid;

		if (!iccid_parse(arena_strndup(c->arena, p, n), &iccid))
			return false;
		json_array_append_new(list, json_string(iccid.text));
		p += n;
		if (!*p)
			return true;
	}
}

/* What every order may say. */
static int common_options(struct ctl *c, json_t **out_body)
{
	const char *validity = c->option[OPT_VALIDITY], *mode = c->option[OPT_MODE], *when = c->option[OPT_WHEN];
	CLEANUP(json_freep) json_t *body = json_object();
	unsigned s = 0;

	if (validity && !number_parse(validity, &s))
		return ctl_fail(c, EXIT_USAGE, "--validity %s: should be a number of seconds", validity);
	if (mode && strcmp(mode, "callback") != 0 && strcmp(mode, "connection") != 0)
		return ctl_fail(c, EXIT_USAGE, "--mode %s: should be callback or connection", mode);
	if (when && strcmp(when, "now") != 0 && strcmp(when, "next-event") != 0)
		return ctl_fail(c, EXIT_USAGE, "--when %s: should be now or next-event", when);
	if (c->option[OPT_VIA] && !*c->option[OPT_VIA])
		return ctl_fail(c, EXIT_USAGE, "--via: should be the OID or the name of an SM-DP, or direct");
	if (c->option[OPT_VIA])
		json_object_set_new(body, "smdp",
				    strcmp(c->option[OPT_VIA], "direct") ? json_string(c->option[OPT_VIA]) : json_null());
	if (validity)
		json_object_set_new(body, "validity_s", json_integer(s));
	json_put(body, "mode", mode);
	json_put(body, "when", when && !strcmp(when, "next-event") ? "next_event" : when);
	*out_body = json_incref(body);
	return EXIT_OK;
}

int order_options(struct ctl *c, json_t **out_body)
{
	CLEANUP(json_freep) json_t *body = json_object();
	json_t *common = NULL;
	int code;

	if (c->option[OPT_ICCID] && !take_iccids(c, c->option[OPT_ICCID], body))
		return ctl_fail(c, EXIT_USAGE,
				"--iccid %s: should be 6 to 20 digits that start with 89, several with commas between",
				c->option[OPT_ICCID]);
	code = common_options(c, &common);
	if (code != EXIT_OK)
		return code;
	json_object_update_new(body, common);
	*out_body = json_incref(body);
	return EXIT_OK;
}

int download_options(struct ctl *c, const char *which, json_t **out_body)
{
	const char *said = c->option[OPT_ICCID], *type = c->option[OPT_TYPE];
	CLEANUP(json_freep) json_t *body = NULL;
	struct iccid iccid;
	int code;

	if (said && !iccid_parse(said, &iccid))
		return ctl_fail(c, EXIT_USAGE, "--iccid %s: should be one profile's: 6 to 20 digits that start with 89", said);
	if (!which && !said && !type)
		return ctl_fail(c, EXIT_USAGE, "download: which profile? --type TYPE, or --iccid ICCID");
	code = common_options(c, &body);
	if (code != EXIT_OK)
		return code;
	if (which && iccid_parse(which, &iccid))
		said = which;
	else if (which)
		type = which;
	json_put(body, "profile_type", type);
	json_put(body, "iccid", said ? iccid.text : NULL);
	if (c->option[OPT_ENABLE])
		json_object_set_new(body, "enable", json_true());
	*out_body = json_incref(body);
	return EXIT_OK;
}

int policy_options(struct ctl *c, const char *const *rules, unsigned n_rules, json_t **out_body)
{
	json_t *list = json_array(), *body = NULL;
	int code;

	for (unsigned i = 0; i < n_rules; i++) {
		const char *colon = strchr(rules[i], ':');
		json_t *rule =
			colon ? json_pack("{s:s%, s:s}", "action", rules[i], (size_t)(colon - rules[i]), "qualification", colon + 1)
			      : NULL;

		if (!rule) {
			json_decref(list);
			return ctl_fail(c, EXIT_USAGE, "rule %s: should be ACTION:QUALIFICATION, as DISABLE:Not-Allowed", rules[i]);
		}
		json_array_append_new(list, rule);
	}
	code = order_options(c, &body);
	if (code != EXIT_OK) {
		json_decref(list);
		return code;
	}
	json_object_set_new(body, "rules", list);
	*out_body = body;
	return EXIT_OK;
}

int address_options(struct ctl *c, json_t **out_body)
{
	static const enum option options[] = { OPT_IMSI, OPT_MSISDN };
	json_t *body = NULL;
	int code;

	if (!c->option[OPT_IMSI] && !c->option[OPT_MSISDN])
		return ctl_fail(c, EXIT_USAGE,
				"profile address needs --imsi or --msisdn: what is left out the profile has no longer");
	for (size_t i = 0; i < LEN(options); i++) {
		const char *text = c->option[options[i]];

		if (text && (!*text || strspn(text, "0123456789") != strlen(text)))
			return ctl_fail(c, EXIT_USAGE, "%s %s: should be digits", i ? "--msisdn" : "--imsi", text);
	}
	code = order_options(c, &body);
	if (code != EXIT_OK)
		return code;
	json_put(body, "imsi", c->option[OPT_IMSI]);
	json_put(body, "msisdn", c->option[OPT_MSISDN]);
	*out_body = body;
	return EXIT_OK;
}

/* What the gateway asked of the SM-SR, or of an SM-DP, for an operation. */
static const char *function_of(struct ctl *c, const json_t *operation)
{
	static const struct {
		const char *kind, *function;
	} rows[] = {
		{ "enable", "EnableProfile" },     { "disable", "DisableProfile" },   { "delete", "DeleteProfile" },
		{ "audit", "AuditEIS" },           { "policy", "UpdatePolicyRules" }, { "address", "UpdateSubscriptionAddress" },
		{ "download", "DownloadProfile" }, { "smsr-change", "SMSRChange" },
	};
	const char *kind = ctl_cell(c->arena, operation, "kind");
	const char *iface = json_object_get(operation, "smdp") ? "es2" : "es4";

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct function *fn = !strcmp(rows[i].kind, kind) ? function_by_url(iface, rows[i].function) : NULL;

		if (fn)
			return fn->wire;
	}
	return kind;
}

/* "8.2.1/4.2" apart; NULL: a word of the gateway's own. */
static struct status_code_data *split_code(struct ctl *c, const json_t *operation, const char *code)
{
	const char *slash = strchr(code, '/');
	struct status_code_data *data = ARENA_NEW(c->arena, struct status_code_data);

	if (!slash)
		return NULL;
	data->subject = arena_strndup(c->arena, code, (size_t)(slash - code));
	data->reason = slash + 1;
	data->subject_id = json_string_value(json_object_get(operation, "subject_identifier"));
	data->message = json_string_value(json_object_get(operation, "message"));
	return data;
}

int operation_code(struct ctl *c, const json_t *operation)
{
	const char *state = ctl_cell(c->arena, operation, "state"), *status = ctl_cell(c->arena, operation, "status");
	const char *code = ctl_cell(c->arena, operation, "code"), *id = ctl_cell(c->arena, operation, "operation");
	struct execution_status s = { .status = STATUS_FAILED, .code = split_code(c, operation, code) };

	if (strcmp(state, "ended") != 0)
		return ctl_fail(c, EXIT_REFUSED, "operation %s has not ended: it is %s", id, state);
	if (json_is_true(json_object_get(operation, "enable")) && json_is_false(json_object_get(operation, "enabled")))
		return ctl_fail(c, EXIT_REFUSED, "operation %s: profile %s is installed, but was not enabled: %s: %s", id,
				ctl_cell(c->arena, operation, "iccid"), code, ctl_cell(c->arena, operation, "message"));
	if (!strcmp(status, status_name(STATUS_SUCCESS)) || !strcmp(status, status_name(STATUS_WARNING)))
		return EXIT_OK;
	if (!s.code)
		return ctl_fail(c, strcmp(code, "no_answer") != 0 ? EXIT_REFUSED : EXIT_UNREACHABLE, "operation %s: %s %s: %s", id,
				status, code, ctl_cell(c->arena, operation, "message"));
	if (!strcmp(status, status_name(STATUS_EXPIRED)))
		s.status = STATUS_EXPIRED;
	return ctl_status_fail(c, function_of(c, operation), &s);
}
