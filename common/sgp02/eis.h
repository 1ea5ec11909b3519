/* SPDX-License-Identifier: Apache-2.0 */
/* The eUICC Information Set as data (wire.md 6) and its pure rules. Pointers live in the arena that decoded or loaded it. */
#ifndef SGP02_EIS_H
#define SGP02_EIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/sgp02/ids.h"
#include "common/sgp02/result.h"

/* Values are the index into the wire spellings (wire.md 6.10). IN_CREATION has none and never leaves the database. */
enum profile_state { PROFILE_CREATED, PROFILE_DISABLED, PROFILE_ENABLED, PROFILE_IN_CREATION };
enum pol2_subject { POL2_PROFILE };
enum pol2_action { POL2_ENABLE, POL2_DISABLE, POL2_DELETE };
enum pol2_qualification { POL2_NOT_ALLOWED, POL2_AUTO_DELETE };
enum sd_role { SD_ISDR, SD_ECASD };
enum keyset_type { KEYSET_SCP03, KEYSET_SCP80, KEYSET_SCP81, KEYSET_TOKEN, KEYSET_RECEIPT, KEYSET_CA };

struct pol2_rule {
	enum pol2_subject subject;
	enum pol2_action action;
	enum pol2_qualification qualification;
};

struct pol2 {
	struct pol2_rule *rules;
	size_t n_rules; /* 0: no restriction, said explicitly */
};

/* The wire spellings by value, NULL at the end (wire.md 6.10). */
extern const char *const pol2_action_names[], *const pol2_qualification_names[];
/* A rule as people write it: "DISABLE:Not-Allowed". False: not one. */
bool pol2_rule_parse(const char *text, struct pol2_rule *out);

struct subscription_address {
	const char *imsi, *msisdn; /* NULL: absent */
};

struct profile_info {
	struct iccid iccid;
	struct aid isdp_aid;
	struct oid mno;
	bool fallback;
	struct subscription_address address;
	enum profile_state state;
	struct oid *smdp; /* NULL: loaded in the factory */
	const char *profile_type; /* NULL: none */
	int64_t allocated_memory; /* bytes */
	int64_t *free_memory;     /* NULL: not said */
	struct pol2 pol2;
};

struct key_component {
	struct bytes type;  /* one byte: 88 AES, 85 PSK-TLS */
	struct bytes value; /* ES1: encrypted under the EUM's transport key. SECRET */
};

struct key {
	struct bytes kcv; /* three bytes */
	int64_t index;    /* 0..127 */
	struct key_component *components;
	size_t n_components;
};

struct gp_certificate {
	int64_t index;
	struct oid ca;
	struct bytes value; /* 7F21 TLV */
};

struct keyset {
	int64_t version; /* 1..127 */
	enum keyset_type *type; /* NULL: not said */
	int64_t *counter; /* NULL: 0 */
	struct key *keys;
	size_t n_keys;
	struct gp_certificate *certificates;
	size_t n_certificates;
};

struct security_domain {
	struct aid aid;
	struct bytes *tars; /* three bytes each */
	size_t n_tars;
	struct bytes sin, sdin; /* up to 16 bytes */
	enum sd_role role;
	struct keyset *keysets;
	size_t n_keysets;
};

struct euicc_capabilities {
	bool cattp_support;
	const char *cattp_version;
	bool http_support;
	const char *http_version;
	const char *secure_packet_version, *remote_provisioning_version;
};

struct eum_signed_info {
	struct eid eid;
	struct oid eum;
	int64_t production_date; /* microseconds since 1970, as all times */
	const char *platform_type, *platform_version;
	struct aid isdp_loadfile_aid, isdp_module_aid;
	struct security_domain ecasd;
	struct euicc_capabilities capabilities;
};

struct execution_status {
	enum status status;
	struct status_code_data {
		const char *subject, *reason, *subject_id, *message;
	} *code; /* NULL: plain success */
};

struct audit_record {
	struct eid eid;
	struct oid smsr;
	int64_t date;
	struct bytes operation; /* two bytes */
	struct oid *requester;
	struct execution_status *status;
	struct aid *isdp_aid;
	struct iccid *iccid;
	struct bytes imei, meid; /* empty: absent */
};

struct audit_trail {
	struct audit_record *records;
	size_t n_records;
};

struct property {
	const char *key, *value;
};

struct properties {
	struct property *items;
	size_t n_items;
};

struct eis {
	struct eum_signed_info info;
	/* What was signed, canonical, and its signature (decisions.md D3): emitted as they are, never rebuilt. Set by the decoder from
	 * the document (exclusive C14N), or loaded. Empty while an EUM builds an EIS. */
	struct bytes info_octets, signature_octets;
	const void *info_node; /* the decoder's node of EumSignedInfo, for its other canonical forms; NULL when loaded from the database */
	int64_t remaining_memory, available_memory; /* bytes */
	int64_t *last_audit;
	struct oid smsr;
	struct profile_info *profiles;
	size_t n_profiles;
	struct security_domain isdr;
	struct audit_trail *audit_trail; /* NULL: absent */
	struct properties *properties;   /* NULL: absent; else at least one */
};

/* What an EIS must be beyond its schema when it is registered: AIDs and ICCIDs unique, one enabled profile at most, one fall-back
 * holder at most, ISD-P AIDs in range, ISD-R with an SCP80 set (01..0F) whose keys are typed, SCP81 sets 40..4F, memory sums.
 * OK or 1.6/2.1 naming the element. (procedures.md 1.4, 2.1; wire.md 6) */
result eis_check_registration(struct arena *a, const struct eis *eis);
/* The same of one that another SM-SR hands over (ES7): versions of key sets without keys, and memory as that one counts it, if
 * it can be counted with. */
result eis_check_handover(struct arena *a, const struct eis *eis);

/* Who looks at an EIS (decisions.md D2). */
enum eis_view { VIEW_OPERATOR, VIEW_M2M_SP, VIEW_SM_DP, VIEW_SM_SR2 };

/* Says whether a profile row may be shown to viewer; customers: OIDs of the operators of an SM-DP viewer (may be NULL). */
bool eis_profile_visible(const struct profile_info *p, enum eis_view view, const struct oid *viewer, const struct oid *customers,
			 size_t n_customers);
/* Reduces eis in place to what D2 shows: rows and optional elements go, mandatory ones stay; keys always go. True: at least one profile stayed. */
bool eis_filter(struct eis *eis, enum eis_view view, const struct oid *viewer, const struct oid *customers, size_t n_customers);

#endif
