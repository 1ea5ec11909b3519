/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the functions that are served: request and answer tables per function row. */
#ifndef MSG_MESSAGES_H
#define MSG_MESSAGES_H

#include "common/msg/bind.h"

/* NULL when the function is not served yet. Requests and notifications. */
const struct bind_message *message_request(enum function_id id);
/* NULL for notifications and functions not served yet. */
const struct bind_message *message_response(enum function_id id);
/* <ES>-<Function>Response with base fields only: for functions not served, and for failures before a table is known.
 * root must outlive the returned struct, which lives in a. Its struct is struct response_base. */
const struct bind_message *message_bare_response(struct arena *a, const struct function *f);

/* EumSignedInfo (struct eum_signed_info) alone, for bind_encode_group: what an EUM signs. */
extern const struct bind_group eum_signed_info_group;

/* ES1 (wire.md 5.1, 9.2) */
struct es1_register_eis_rq { struct request_base base; struct eis eis; };
struct es1_update_properties_rq { struct request_base base; struct eid eid; struct properties properties; };
/* ES4 GetEIS (wire.md 5.4) */
struct es4_get_eis_rq { struct request_base base; struct eid eid; };
struct es4_get_eis_rs { struct response_base base; struct eis *eis; };
/* ES4 EnableProfile, DisableProfile, DeleteProfile. */
struct es4_profile_rq { struct request_base base; struct eid eid; struct iccid iccid; };
struct card_rs { struct response_base base; struct bytes euicc_response_data; /* raw R-APDU on a card's error; empty: absent */ };
/* ES4 AuditEIS: n_iccids 0 means all. */
struct es4_audit_eis_rq { struct request_base base; struct eid eid; struct iccid *iccids; size_t n_iccids; };
struct es4_audit_eis_rs { struct response_base base; struct eis *eis; };
/* ES4 UpdatePolicyRules, UpdateSubscriptionAddress (wire.md 5.4): both replace what was, wholly. */
struct es4_update_policy_rules_rq { struct request_base base; struct eid eid; struct iccid iccid; struct pol2 pol2; };
struct es4_update_subscription_address_rq {
	struct request_base base;
	struct eid eid;
	struct iccid iccid;
	struct subscription_address address;
};
/* HandleProfileEnabled/Disabled/DeletedNotification: no base at all. */
struct profile_notification { struct eid eid; struct iccid iccid; int64_t completed; /* microseconds since 1970 */ };
/* Answers without further content. */
struct plain_rs { struct response_base base; };

/* EUM order interface (ours; namespace urn of NS_EUM below is NOT used: same rps namespace for one toolchain). */
struct eum_profile_order { /* one pre-loaded profile of every card of a batch */
	struct oid mno;
	const char *profile_type;        /* NULL: none */
	const char *iccid_prefix;        /* digits, starts with 89; the rest is counted, Luhn closes */
	const char *imsi_prefix, *msisdn_prefix; /* digits; counted */
	bool enabled;                    /* exactly one order of a batch: the bootstrap, which also holds the fall-back attribute */
	int64_t memory;                  /* bytes granted */
};
struct eum_create_batch_rq {
	struct request_base base;
	const char *name;                /* 1..64 characters; unique per orderer */
	int64_t quantity;                /* 1..100000 */
	struct oid smsr;                 /* where the cards are registered */
	const char *eid_prefix;          /* 18 digits: 89, country, issuer, version, issuer info; individual numbers are counted */
	const char *platform_type, *platform_version;
	int64_t memory;                  /* bytes for profiles in all */
	bool http_support;
	struct eum_profile_order *profiles;
	size_t n_profiles;               /* 1..8 */
	struct properties *properties;   /* additional properties of every card; NULL: none */
};
struct eum_create_batch_rs { struct response_base base; const char *batch; /* its id; NULL on failure */ };
struct eum_get_batch_rq { struct request_base base; const char *batch; /* id or name */ };
struct eum_batch_info {
	const char *batch, *name;
	int64_t quantity, made, submitted, registered, refused;
	const char *file; /* NULL until made: path of the simulator's batch file on the EUM's host */
};
struct eum_get_batch_rs { struct response_base base; struct eum_batch_info *info; };
/* Changes additional properties of one eUICC at its SM-SR (ES1.UpdateEISAdditionalProperties, retried until answered). */
struct eum_update_properties_rq { struct request_base base; struct eid eid; struct properties properties; };

#endif
