/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/function.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <threads.h>

#include "common/base/cleanup.h"

static const struct function rows[] = {
#define FN(es, nm, al, grp, reply_grp, action, prov, call, rel, pattern, txm, def, min, max, card, audit, why) \
	{                                                                                                      \
		.id = FN_##es##_##nm,                                                                          \
		.iface = IF_##es,                                                                              \
		.name = #nm,                                                                                   \
		.wire = #es "-" #nm,                                                                           \
		.aliases = (al),                                                                               \
		.group = GROUP_##grp,                                                                          \
		.reply_group = GROUP_##reply_grp,                                                              \
		.action_name = sizeof(action) > 1 ? (action) : #nm,                                            \
		.providers = (prov),                                                                           \
		.callers = (call),                                                                             \
		.relation = REL_##rel,                                                                         \
		.mep = MEP_##pattern,                                                                          \
		.tx = TX_##txm,                                                                                \
		.validity = { (def), (min), (max) },                                                           \
		.needs_card = (card),                                                                          \
		.audit_code = (audit),                                                                         \
		.not_served = (why),                                                                           \
	},
#include "proto/functions.def"
#undef FN
};

static const char *const iface_names[IF_COUNT] = { "ES1", "ES2", "ES3", "ES4", "ES4A", "ES7", "EUM" };
static const char *const group_names[GROUP_COUNT] = { "DataPreparation", "ProfileManagement", "PlatformManagement",
						      "eUICCManagement" };
static const struct {
	enum role role;
	const char *name;
} roles[] = {
	{ ROLE_EUM, "eum" },     { ROLE_OPERATOR, "operator" }, { ROLE_M2M_SP, "m2m-sp" },
	{ ROLE_SM_DP, "sm-dp" }, { ROLE_SM_SR, "sm-sr" },
};

/* The alias lists cut into words once, so that a name found can be handed out as a string. */
enum { ALIASES_MAX = 64, NAME_MAX_LEN = 64 };
static struct alias {
	const struct function *f;
	char name[NAME_MAX_LEN];
	bool whole_root;
} aliases[ALIASES_MAX];
static size_t n_aliases;
static once_flag aliases_once = ONCE_FLAG_INIT;

static void aliases_cut(void)
{
	for (size_t i = 0; i < LEN(rows); i++) {
		const char *es = iface_names[rows[i].iface], *p = rows[i].aliases;

		for (size_t n = strcspn(p, " "); n > 0 && n_aliases < ALIASES_MAX; n = strcspn(p, " ")) {
			struct alias *al = &aliases[n_aliases];

			if (n < sizeof(al->name)) {
				memcpy(al->name, p, n);
				al->f = &rows[i];
				al->whole_root = !strncmp(al->name, es, strlen(es)) && al->name[strlen(es)] == '-';
				n_aliases++;
			}
			p += n;
			p += strspn(p, " ");
		}
	}
}

static bool is_iface(const struct function *f, const char *es, size_t n)
{
	return strlen(iface_names[f->iface]) == n && !strncasecmp(iface_names[f->iface], es, n);
}

/* The row and name of (interface, name), aliases included. */
static const struct function *find(const char *es, size_t es_len, const char *name, size_t len, const char **out_name)
{
	for (size_t i = 0; i < LEN(rows); i++) {
		if (is_iface(&rows[i], es, es_len) && strlen(rows[i].name) == len && !memcmp(rows[i].name, name, len)) {
			*out_name = rows[i].name;
			return &rows[i];
		}
	}
	call_once(&aliases_once, aliases_cut);
	for (size_t i = 0; i < n_aliases; i++) {
		const struct alias *al = &aliases[i];

		if (!al->whole_root && is_iface(al->f, es, es_len) && strlen(al->name) == len && !memcmp(al->name, name, len)) {
			*out_name = al->name;
			return al->f;
		}
	}
	return NULL;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* A root is cut at its first hyphen: AuthenticateSM-SR has one of its own. */
static const struct function *find_root(const char *root, const char *suffix, const char **out_name)
{
	size_t es = strcspn(root, "-");
	size_t n = strlen(root), cut = strlen(suffix);
	const struct function *f;

	if (root[es] != '-' || n < es + 1 + cut || !ends_with(root, suffix))
		return NULL;
	f = find(root, es, root + es + 1, n - es - 1 - cut, out_name);
	return f && !strncmp(root, iface_names[f->iface], es) ? f : NULL; /* letter case is free in URLs only */
}

static const struct function *find_typo(const char *root)
{
	call_once(&aliases_once, aliases_cut);
	for (size_t i = 0; i < n_aliases; i++)
		if (aliases[i].whole_root && !strcmp(aliases[i].name, root))
			return aliases[i].f;
	return NULL;
}

const struct function *function_by_id(enum function_id id)
{
	return &rows[id];
}

const struct function *function_by_root(const char *root, const char **out_name)
{
	const char *name = NULL;
	const struct function *f = find_root(root, "Request", &name);

	if (f && f->mep == MEP_NOTIFY)
		return NULL; /* notifications have no Request */
	if (!f) {
		f = find_root(root, "", &name);
		if (f && f->mep != MEP_NOTIFY)
			return NULL;
	}
	if (!f) {
		f = find_typo(root);
		name = f ? f->name : NULL;
	}
	if (f)
		*out_name = name;
	return f;
}

const struct function *function_by_response_root(const char *root)
{
	const char *name;
	const struct function *f = find_root(root, "Response", &name);

	return f && f->mep != MEP_NOTIFY ? f : NULL;
}

const struct function *function_by_url(const char *iface, const char *name)
{
	const char *used;

	return find(iface, strlen(iface), name, strlen(name), &used);
}

const char *iface_name(enum iface iface)
{
	return iface_names[iface];
}

const char *group_name(enum group group)
{
	return group_names[group];
}

const char *role_name(enum role role)
{
	for (size_t i = 0; i < LEN(roles); i++)
		if (roles[i].role == role)
			return roles[i].name;
	return "?";
}

bool role_parse(const char *text, enum role *out)
{
	for (size_t i = 0; i < LEN(roles); i++) {
		if (!strcmp(roles[i].name, text)) {
			*out = roles[i].role;
			return true;
		}
	}
	return false;
}

static const char *action(const struct function *f, enum group group, const char *callback, const char *suffix,
			  char out[ACTION_MAX])
{
	(void)snprintf(out, ACTION_MAX, "http://gsma.com/%s/%s%s/%s-%s%s", iface_names[f->iface], group_names[group], callback,
		       iface_names[f->iface], f->action_name, suffix);
	return out;
}

/* Only SYNC requests carry the suffix (wire.md 2.3). */
const char *function_request_action(const struct function *f, char out[ACTION_MAX])
{
	return action(f, f->group, "", f->mep == MEP_SYNC ? "Request" : "", out);
}

const char *function_response_action(const struct function *f, char out[ACTION_MAX])
{
	return action(f, f->reply_group, "", "Response", out);
}

const char *function_callback_action(const struct function *f, char out[ACTION_MAX])
{
	return action(f, f->reply_group, "CallBack", "", out);
}
