/* SPDX-License-Identifier: Apache-2.0 */
/* Whom something about a card is asked of: its SM-SR on ES4, or on ES2 an SM-DP, which is told the SM-SR. */
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/gateway.h"

/* By OID, or by name when that is an SM-DP's alone. *out NULL: neither. */
static result find_smdp(struct db *db, struct arena *a, const char *said, const struct entity **out)
{
	struct oid oids[2];
	size_t n = 1;

	*out = NULL;
	if (!oid_parse(said, &oids[0]))
		TRY(entity_named(db, a, said, oids, &n));
	if (n != 1)
		return OK;
	TRY(registry_by_oid(db, a, &oids[0], out));
	if (*out && !((*out)->roles & ROLE_SM_DP))
		*out = NULL;
	return OK;
}

bool northbound_smdp(struct http_call *call, struct arena *a, const char *said, const struct entity **out)
{
	const struct entity *found;
	result r = find_smdp(app_db(call), a, said, &found);

	if (r != OK)
		northbound_db_failed(call, r);
	else if (!found)
		app_error(call, 400, "invalid_parameter", "smdp: the registry has not exactly one SM-DP %.100s: rspctl entity list",
			  said);
	else
		*out = found;
	return r == OK && found;
}

/* The SM-DP that nobody named but is to be used; NULL: none. False: the call is answered. */
static bool usual_smdp(struct http_call *call, const struct gateway *g, struct arena *a, const struct oid *of_card,
		       const struct entity **out)
{
	const char *name = *of_card->text ? of_card->text : g->config->default_smdp;
	const struct entity *found = NULL;
	result r = *name ? find_smdp(app_db(call), a, name, &found) : OK;

	if (r != OK)
		northbound_db_failed(call, r);
	else if (*name && !found)
		app_error(call, 502, "smdp_unknown",
			  "the registry has not exactly one SM-DP %s, which is set %s: rspctl entity list", name,
			  *of_card->text ? "for this card" : "by RSP_GATEWAY_DEFAULT_SMDP");
	else
		*out = found;
	return r == OK && (found || !*name);
}

bool northbound_route(struct http_call *call, const struct gateway *g, struct arena *a, const struct eid *eid, const char *said,
		      struct card_route *out)
{
	struct card_route route = { 0 };
	const struct entity *smdp = NULL;
	struct oid of_card = { "" };
	bool known = false;
	result r = euicc_find(app_db(call), a, eid, &route.smsr, &of_card, &known);

	if (r != OK) {
		northbound_db_failed(call, r);
		return false;
	}
	if (!known) {
		route.smsr = g->default_smsr;
		route.learn = true;
	}
	if (!*route.smsr.text) {
		app_error(call, 404, "smsr_unknown", "no SM-SR is known for this EID: PUT /v1/euiccs/%s {\"smsr\":OID}, or set %s",
			  eid->text, "RSP_GATEWAY_DEFAULT_SMSR");
		return false;
	}
	if (said ? *said && !northbound_smdp(call, a, said, &smdp) : !usual_smdp(call, g, a, &of_card, &smdp))
		return false;
	if (smdp)
		route.smdp = smdp->oid;
	*out = route;
	return true;
}

bool northbound_reach(struct http_call *call, struct arena *a, struct card_route *route)
{
	bool es2 = *route->smdp.text;
	const struct oid *oid = es2 ? &route->smdp : &route->smsr;
	enum iface iface = es2 ? IF_ES2 : IF_ES4;
	result r = registry_by_oid(app_db(call), a, oid, &route->to);

	if (r == OK && route->to)
		r = registry_endpoint(app_db(call), a, oid, iface, &route->endpoint);
	if (r != OK) {
		northbound_db_failed(call, r);
		return false;
	}
	if (route->to && route->endpoint.n)
		return true;
	app_error(call, 502, es2 ? "smdp_unknown" : "smsr_unknown", "the registry has no %s for %s %s: rspctl entity import",
		  route->to ? arena_printf(a, "%s address", iface_name(iface)) : "entity", api_server_name(iface), oid->text);
	return false;
}
