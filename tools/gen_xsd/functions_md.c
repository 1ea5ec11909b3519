/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/sgp02/function.h"
#include "common/sgp02/result.h"
#include "tools/gen_xsd/gen_xsd.h"

static const char *mep_name(enum mep mep)
{
	switch (mep) {
	case MEP_SYNC:
		return "sync";
	case MEP_DEFERRED:
		return "deferred";
	case MEP_NOTIFY:
		return "notify";
	}
	return "?";
}

static const char *relation_text(enum relation relation, enum iface iface)
{
	switch (relation) {
	case REL_NONE:
		return "role only";
	case REL_EID:
		return "any of the role; rows filtered";
	case REL_EUM_OF_EID:
		return "EUM that registered the EID";
	case REL_OWNS_ANY:
		return iface == IF_ES3 ? "SM-DP of a profile on the EID" : "owns a profile on the EID, or PLMA";
	case REL_PROFILE_OWNER:
		return "owns the profile, or PLMA";
	case REL_PROFILE_OWNER_STRICT:
		return "owns the profile";
	case REL_PROFILE_SMDP:
		return "SM-DP of the profile or of its operator";
	case REL_ISDP:
		return "SM-DP that created the ISD-P";
	case REL_STOCK:
		return "ICCID in its stock, or owns the profile";
	case REL_PLMA_OWNER:
		return "is the operator named";
	case REL_HANDOVER:
		return "partner of the handover";
	case REL_RECIPIENT:
		return "any registered sender";
	case REL_ORDERER:
		return "ordered the batch";
	}
	return "?";
}

static void roles(struct buf *out, unsigned set)
{
	const char *comma = "";

	for (unsigned bit = ROLE_EUM; bit <= ROLE_SM_SR; bit <<= 1) {
		if (!(set & bit))
			continue;
		buf_printf(out, "%s%s", comma, role_name((enum role)bit));
		comma = ", ";
	}
}

/* The wire name, then what is taken as well; whole roots are typos of peers. */
static void names(struct buf *out, const struct function *f)
{
	buf_printf(out, "`%s`", f->name);
	for (const char *p = f->aliases; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		buf_printf(out, ", `%.*s`", (int)n, p);
		p += n;
	}
}

/* The test that shows a served function; NULL: nobody wrote one. */
static const char *shown_by(const struct function *f)
{
	static const struct {
		enum function_id id;
		const char *test;
	} shown[] = {
#define SHOWN(iface, name, test) { FN_##iface##_##name, test },
#include "tools/gen_xsd/shown.def"
#undef SHOWN
	};

	for (size_t i = 0; i < LEN(shown); i++)
		if (shown[i].id == f->id)
			return shown[i].test;
	return NULL;
}

static void row(struct buf *out, unsigned number, const struct function *f)
{
	const char *test = shown_by(f);
	char action[ACTION_MAX];

	buf_printf(out, "| %u | ", number);
	names(out, f);
	buf_printf(out, " | %s | ", mep_name(f->mep));
	roles(out, f->callers);
	buf_str(out, " | ");
	roles(out, f->providers);
	buf_printf(out, " | %s | ", relation_text(f->relation, f->iface));
	if (f->mep == MEP_NOTIFY)
		buf_str(out, "- | ");
	else
		buf_printf(out, "%u / %u / %u | ", f->validity.def_s, f->validity.min_s, f->validity.max_s);
	buf_printf(out, "`%s` | ", function_request_action(f, action) + strlen("http://gsma.com"));
	if (f->not_served)
		buf_printf(out, "not yet: %s | |\n", f->not_served);
	else
		buf_printf(out, "**yes** | %s%s%s |\n", test ? "`" : "", test ? test + strlen("tests.e2e.") : "-", test ? "`" : "");
}

static unsigned rows_of(enum iface iface, bool served_only)
{
	unsigned n = 0;

	for (enum function_id id = 0; id < FN_COUNT; id++) {
		const struct function *f = function_by_id(id);

		n += f->iface == iface && !(served_only && f->not_served);
	}
	return n;
}

static void section(struct buf *out, enum iface iface)
{
	unsigned number = 0;

	buf_printf(out, "\n## %s: %u functions, %u served\n\n", iface_name(iface), rows_of(iface, false), rows_of(iface, true));
	if (iface == IF_EUM)
		buf_str(out, "Our own: how cards are ordered from the EUM. Not of SGP.02.\n\n");
	buf_str(out, "| # | names | pattern | callers | provider | caller must be | validity s: default / min / max | Action | "
		     "served | shown by |\n"
		     "|---|---|---|---|---|---|---|---|---|---|\n");
	for (enum function_id id = 0; id < FN_COUNT; id++)
		if (function_by_id(id)->iface == iface)
			row(out, ++number, function_by_id(id));
}

static void status_codes(struct buf *out)
{
	buf_str(out, "\n## Status codes\n\nSubject and Reason of `StatusCodeData` with the text that stands in `Message` when the "
		     "function says nothing closer.\n\n| Subject | Reason | text |\n|---|---|---|\n");
	for (enum code c = 0; c < CODE_COUNT; c++)
		buf_printf(out, "| %s | %s | %s |\n", status_code(c)->subject, status_code(c)->reason, status_code(c)->text);
}

void functions_md_write(struct buf *out)
{
	unsigned spec = FN_COUNT - rows_of(IF_EUM, false);

	buf_printf(out,
		   "# Functions\n\nPrinted by `tools/gen-xsd` from `proto/functions.def`, `proto/status_codes.def` and "
		   "`tools/gen_xsd/shown.def`: do not edit.\n\n"
		   "%u functions of SGP.02 and %u of our own. The first name is the one on the wire; every name works in URLs, "
		   "body roots, the "
		   "northbound API and `rspctl`.\nPatterns: sync is answered at once, deferred when the card or another party has "
		   "answered, notify "
		   "has no answer. Actions start with `http://gsma.com`; answers and callbacks follow the same scheme.\nA test below tests/e2e "
		   "fails when the function that it shows is not served (`tools/gen_xsd/shown.def`).\n",
		   spec, rows_of(IF_EUM, false));
	for (enum iface i = 0; i < IF_COUNT; i++)
		section(out, i);
	status_codes(out);
}
