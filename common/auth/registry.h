/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of partners (decisions.md D5): tables entity, entity_cert, entity_address of each role's database are the truth. */
#ifndef AUTH_REGISTRY_H
#define AUTH_REGISTRY_H

#include "common/sgp02/function.h"
#include "common/sgp02/ids.h"
#include "common/store/store.h"

/* Per-peer switches; never a branch on a name. From entity.dialect (text "key=value key=value"). */
struct dialect {
	bool fci_weak;       /* fci=weak: the input's digest joins the idempotency key (A1) */
	bool unqualified;    /* unqualified=yes: children without namespace are taken (wire.md 10) */
	const char *namespace_uri; /* namespace=URI: of the messages to and from it; NULL: NS_RPS_DEFAULT */
	/* Its D calls without ReplyTo (A4): no_reply_to=address, =refuse, else they wait on the connection. */
	enum no_reply_to { NO_REPLY_TO_PARK, NO_REPLY_TO_ADDRESS, NO_REPLY_TO_REFUSE } no_reply_to;
	bool s_callback;     /* s_callback=yes: S functions between us and it are answered by callback where a ReplyTo asks for it (A4) */
	bool es7_eid;        /* es7=eid: an SM-SR whose AuthenticateSMSR has Eid, not Eis (procedures.md 5.6a) */
};
/* All switches with their values, for messages. */
extern const char dialect_known[];
/* False: an unknown key or value; *out_bad names it. */
bool dialect_parse(struct arena *a, const char *text, struct dialect *out, const char **out_bad);

struct entity {
	struct oid oid;
	const char *name;
	unsigned roles;            /* enum role bits */
	struct dialect dialect;
	const struct oid *customers; /* of an SM-DP: its operators */
	size_t n_customers;
};

/* Statements of the registry stand in common/store/statements.def (RPC_ENTITY_*). All results: OK with *out NULL when there is none. */
result registry_by_certificate(struct db *db, struct arena *a, struct bytes der, const struct entity **out);
result registry_by_oid(struct db *db, struct arena *a, const struct oid *oid, const struct entity **out);
/* OIDs in text, a blank between two, as customers are stored; what is none is left out. In a. */
const struct oid *oids_parse(struct arena *a, const char *text, size_t *out_n);
/* Where an interface of an entity is reached: URLs in the order to be tried, and the pins of all its certificates
 * ("sha256//..;sha256//..") for http_outgoing.pinned_keys. n 0: no address. */
struct endpoint {
	const char *const *urls;
	size_t n;
	const char *pins;
};
result registry_endpoint(struct db *db, struct arena *a, const struct oid *oid, enum iface iface, struct endpoint *out);
/* An entity and that, in one round trip. */
result registry_peer(struct db *db, struct arena *a, const struct oid *oid, enum iface iface, const struct entity **out,
		     struct endpoint *out_endpoint);

/* What is imported: one entity, replacing what was there under its OID, in one transaction. */
struct entity_record {
	struct oid oid;
	const char *name;
	unsigned roles;
	const char *dialect;       /* "" for none */
	const struct oid *customers;
	size_t n_customers;
	const struct bytes *certificates; /* DER */
	size_t n_certificates;
	const struct entity_url {
		enum iface iface;
		const char *url;
	} *urls;
	size_t n_urls;
};
/* OK; 1.6/2.1 naming what is wrong (a certificate that belongs to another entity already, a URL that is not https, a bad dialect). */
result registry_save(struct db *db, struct arena *a, const struct entity_record *record);

#endif
