/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the functions: request and answer tables per function row. Each served function has them; others may. */
#ifndef MSG_MESSAGES_H
#define MSG_MESSAGES_H

#include "common/msg/bind.h"

/* NULL: no table yet. Requests and notifications. */
const struct bind_message *message_request(enum function_id id);
/* NULL for notifications, and when there is no table yet. */
const struct bind_message *message_response(enum function_id id);
/* <ES>-<Function>Response with base fields only: for functions without a table, and for failures before a table is known.
 * root must outlive the returned struct, which lives in a. Its struct is struct response_base. */
const struct bind_message *message_bare_response(struct arena *a, const struct function *f);

/* EumSignedInfo (struct eum_signed_info) alone, for bind_encode_group: what an EUM signs. */
extern const struct bind_group eum_signed_info_group;

/* An EIS as a text of its own, an element Eis: in rows, and between the roles of a domain. The signed octets stand in it as they are (D3), in
 * whose namespace the whole is. */
void eis_text_write(struct arena *a, struct buf *out, const struct eis *eis);
enum { EIS_TEXT_MAX = 900 * 1024 }; /* octets as a JSON string: it fits into a request on the bus, and into a SOAP message */
/* The same, of that length at most: what is too long goes without the older records of its audit trail (the first ones), which *out_cut counts;
 * eis->audit_trail is then the shorter one. False: it is too long without any, and out is empty. */
bool eis_text_write_cut(struct arena *a, struct buf *out, struct eis *eis, size_t *out_cut);
/* Reads it: all lives in a, info_node is NULL. OK, or 1.6/2.1, 1.6/2.2 as bind_decode; out is zeroed first. */
result eis_text_read(struct arena *a, struct bytes text, struct eis *out);

/* ES1 (wire.md 5.1, 9.2) */
struct es1_register_eis_rq { struct request_base base; struct eis eis; };
struct es1_update_properties_rq { struct request_base base; struct eid eid; struct properties properties; };
/* ES4, and ES3 where the bodies are equal (wire.md 5.3, 5.4): one struct for both. */
/* GetEIS */
struct es4_get_eis_rq { struct request_base base; struct eid eid; };
struct es4_get_eis_rs { struct response_base base; struct eis *eis; };
/* EnableProfile, DisableProfile, ES4 DeleteProfile, ES3 DeleteISDP */
struct es4_profile_rq { struct request_base base; struct eid eid; struct iccid iccid; };
struct card_rs { struct response_base base; struct bytes euicc_response_data; /* raw R-APDU on a card's error; empty: absent */ };
/* AuditEIS: n_iccids 0 means all. */
struct es4_audit_eis_rq { struct request_base base; struct eid eid; struct iccid *iccids; size_t n_iccids; };
struct es4_audit_eis_rs { struct response_base base; struct eis *eis; };
/* ES4 UpdatePolicyRules, ES3 and ES4 UpdateSubscriptionAddress: both replace what was, wholly. */
struct es4_update_policy_rules_rq { struct request_base base; struct eid eid; struct iccid iccid; struct pol2 pol2; };
struct es4_update_subscription_address_rq {
	struct request_base base;
	struct eid eid;
	struct iccid iccid;
	struct subscription_address address;
};
/* Answers without further content. */
struct plain_rs { struct response_base base; };

/* ES3 alone (wire.md 5.3) */
struct es3_create_isdp_rq {
	struct request_base base;
	struct eid eid;
	struct iccid iccid;
	struct oid mno;                  /* who will own the profile */
	int64_t required_memory;         /* bytes, not negative */
	bool *more_to_do;                /* true: the caller goes on, the card's session is kept; NULL: false */
};
struct es3_create_isdp_rs {
	struct response_base base;
	struct aid isdp_aid;             /* len 0: none, as in a failure. A peer's success may lack it, too: check */
	struct bytes euicc_response_data;
};
enum { SEND_DATA_MAX = 1 << 20 };        /* bytes of one SendData */
struct es3_send_data_rq {
	struct request_base base;
	struct eid eid;
	struct aid sd_aid;               /* an ISD-P or the ISD-R */
	struct bytes data;               /* command TLVs, 1..SEND_DATA_MAX bytes. SECRET */
	bool *more_to_do;                /* NULL: false */
};
/* Its answer: what the card said, be it success or error. SECRET. */
struct es3_send_data_rs { struct response_base base; struct bytes euicc_response_data; };
struct es3_profile_download_completed_rq {
	struct request_base base;
	struct eid eid;
	struct iccid iccid;
	const char *profile_type;        /* up to 100 characters, as an EIS holds; NULL: absent */
	struct subscription_address *address; /* NULL: absent */
	struct pol2 *pol2;               /* NULL: absent, which is not "no restriction" */
};
struct es3_update_policy_rules_rq {
	struct request_base base;
	struct eid eid;
	struct iccid iccid;
	struct pol2 *pol2;               /* NULL: absent (procedures.md 3.10 guesses that this clears the rules) */
};
struct es3_update_connectivity_parameters_rq {
	struct request_base base;
	struct eid eid;
	struct iccid iccid;
	struct bytes parameters;         /* at least one byte; an APN may have a password. SECRET */
};

/* ES2 (wire.md 5.2): the ES3 request, then where the SM-DP sends it. A relay copies .es3, which is a prefix, and so are its answers:
 * plain_rs of card_rs (ES2 has no EuiccResponseData), es4_get_eis_rs, es4_audit_eis_rs. */
struct es2_get_eis_rq { struct es4_get_eis_rq es3; struct oid smsr; };
/* EnableProfile, DisableProfile, DeleteProfile */
struct es2_profile_rq { struct es4_profile_rq es3; struct oid smsr; };
struct es2_audit_eis_rq { struct es4_audit_eis_rq es3; struct oid smsr; };
struct es2_update_policy_rules_rq { struct es3_update_policy_rules_rq es3; struct oid smsr; };
struct es2_update_subscription_address_rq { struct es4_update_subscription_address_rq es3; struct oid smsr; };
/* DownloadProfile has no counterpart on ES3. */
struct es2_download_profile_rq {
	struct request_base base;
	struct eid eid;
	struct oid smsr;
	const char *profile_type;        /* up to 100 characters; NULL: that of the ICCID */
	struct iccid *iccid;             /* NULL: any of the profile type */
	bool enable;
};
struct es2_download_profile_rs { struct response_base base; struct iccid *iccid; /* NULL: none */ };

/* Notifications have no base. ES2 and ES4 share these; the ES3 one is the ES2 one, then the operator whom the SM-DP tells: a relay
 * copies .es2, which is a prefix. completed: microseconds since 1970. */
/* HandleProfileEnabled/Disabled/Deleted, EmergencyProfileAttributeSet/Unset, FallBackAttributeSet/Unset */
struct profile_notification { struct eid eid; struct iccid iccid; int64_t completed; };
struct profile_downloaded_notification {
	struct eid eid;
	struct iccid iccid;
	struct oid *owner;               /* the profile's, said to an M2M SP; NULL: absent, as always on ES3 */
	const char *profile_type;        /* up to 100 characters; NULL: absent */
	int64_t completed;
};
struct pol2_updated_notification { struct eid eid; struct iccid iccid; struct pol2 *pol2; /* NULL: absent */ int64_t completed; };
struct smsr_change_notification { struct eis eis; int64_t completed; };
struct es3_profile_notification { struct profile_notification es2; struct oid mno; };
struct es3_profile_downloaded_notification { struct profile_downloaded_notification es2; struct oid mno; };
struct es3_pol2_updated_notification { struct pol2_updated_notification es2; struct oid mno; };
struct es3_smsr_change_notification { struct smsr_change_notification es2; struct oid mno; };

/* SM-SR change: ES4 (wire.md 5.4) and ES7 between the two SM-SRs (wire.md 5.7). The answers but for those below are plain_rs. */
struct es4_prepare_smsr_change_rq { struct request_base base; struct eid eid; struct oid current; };
struct es4_smsr_change_rq { struct request_base base; struct eid eid; struct oid target; };
struct es7_handover_euicc_rq { struct request_base base; struct eis eis; };
enum { ES7_CERTIFICATE_MAX = 1024, ES7_HOST_ID_MAX = 32, ES7_POINT_MAX = 256 }; /* bytes */
#define ES7_COUNTER_MAX INT64_C(0xFFFFFFFFFF)
/* The sender sets one of eid and eis, as the receiver's dialect wants it; read it with es7_authenticate_eid. */
struct es7_authenticate_smsr_rq {
	struct request_base base;
	struct eid *eid;
	struct eis *eis;
	struct bytes certificate;        /* CERT.SR.ECDSA: the whole 7F21 TLV */
};
struct es7_authenticate_smsr_rs { struct response_base base; struct bytes random_challenge; /* empty: none, as in a failure */ };
/* The EID of the card; 1.6/2.2: neither is there; 1.6/2.1: there are two. *out points into rq. */
result es7_authenticate_eid(struct arena *a, const struct es7_authenticate_smsr_rq *rq, const struct eid **out);
struct es7_create_additional_keyset_rq {
	struct request_base base;
	struct eid eid;
	int64_t kvn;                     /* 1..127 */
	int64_t counter;                 /* 0..ES7_COUNTER_MAX */
	enum es7_ecc_length { ES7_ECC_256, ES7_ECC_384, ES7_ECC_512, ES7_ECC_521 } ecc_length;
	int64_t scenario;                /* -128..127: a signed byte */
	struct bytes host_id;            /* may be empty */
	struct bytes point, signature;   /* ePK, and ECDSA over it and A6: common/card/isdr_agreement.h */
};
struct es7_create_additional_keyset_rs {
	struct response_base base;
	struct bytes derivation_random;  /* empty: none was asked for */
	struct bytes receipt;            /* empty: none, as in a failure */
};

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
