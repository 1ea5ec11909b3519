/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of proto/functions.def as rows (design.md 3, functions.md). */
#ifndef SGP02_FUNCTION_H
#define SGP02_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Roles of entities, as a set of bits. */
enum role {
	ROLE_EUM = 1 << 0,
	ROLE_OPERATOR = 1 << 1,
	ROLE_M2M_SP = 1 << 2,
	ROLE_SM_DP = 1 << 3,
	ROLE_SM_SR = 1 << 4,
};

enum iface { IF_ES1, IF_ES2, IF_ES3, IF_ES4, IF_ES4A, IF_ES7, IF_EUM, IF_COUNT };

/* Message exchange pattern (functions.md). */
enum mep { MEP_SYNC, MEP_DEFERRED, MEP_NOTIFY };

/* Transaction mode: READ takes no claim, WRITE claims (A1), PROCEDURE claims and starts one. */
enum txmode { TX_READ, TX_WRITE, TX_PROCEDURE };

/* Action groups (wire.md 2.3). */
enum group { GROUP_DataPreparation, GROUP_ProfileManagement, GROUP_PlatformManagement, GROUP_eUICCManagement, GROUP_COUNT };

/* What auth/relation.c checks before the handler or relay runs (decisions.md D1). */
enum relation {
	REL_NONE,          /* the caller's role is enough */
	REL_EID,           /* any registered caller of the role, rows filtered by D2 */
	REL_EUM_OF_EID,    /* the EUM that registered the EID */
	REL_OWNS_ANY,      /* owns a profile on the EID, or PLMA; on ES3 as REL_PROFILE_SMDP, of any of them */
	REL_PROFILE_OWNER, /* profile.mno = caller, or PLMA */
	REL_PROFILE_OWNER_STRICT, /* profile.mno = caller; never a PLMA (POL2) */
	REL_PROFILE_SMDP,  /* profile.smdp = caller, or profile.mno is a customer of the caller */
	REL_ISDP,          /* the caller made the profile whose ISD-P is commanded */
	REL_STOCK,         /* ES2: ICCID in stock assigned to the caller, else Mno-id of a fresh ES3.GetEIS */
	REL_PLMA_OWNER,    /* Plma/Onc Mno-id = caller */
	REL_HANDOVER,      /* the partner of a running handover */
	REL_RECIPIENT,     /* a notification, taken from any registered sender of the role */
	REL_ORDERER,       /* EUM orders: the entity that ordered the batch */
};

enum function_id {
#define FN(es, name, ...) FN_##es##_##name,
#include "proto/functions.def"
#undef FN
	FN_COUNT
};

struct validity {
	uint32_t def_s, min_s, max_s; /* seconds (decisions.md A6); all 0 for notifications */
};

struct function {
	enum function_id id;
	enum iface iface;
	const char *name;         /* wire name without interface: GetEIS */
	const char *wire;         /* ES4-GetEIS */
	const char *aliases;      /* input only, space-separated, without interface: "GetEUICCInfo"; "" when none */
	enum group group;         /* of the request's or notification's Action */
	enum group reply_group;   /* of the answer's Action */
	const char *action_name;  /* name in Actions; differs from name only for ProfileDownloadCompleted */
	unsigned providers;       /* enum role bits of who serves it */
	unsigned callers;         /* enum role bits of who may call it */
	enum relation relation;
	enum mep mep;
	enum txmode tx;
	struct validity validity;
	bool needs_card;
	uint16_t audit_code;      /* OperationType of wire.md 6.7; 0: not audited */
	const char *not_served;   /* NULL: served; else why not yet */
};

const struct function *function_by_id(enum function_id id);
/* The row whose provider set meets provider_roles and whose body root is root: "<ES>-<name>Request", "<ES>-<name>Notification"
 * rows by their full name (ES2-HandleProfileEnabledNotification), aliases and known typos (ES7-AuthenticateSMSRequest) included.
 * *out_name: the name used on the wire, without interface and suffix (points into the row), so that an alias can be told. NULL: none. */
const struct function *function_by_root(const char *root, const char **out_name);
/* The row whose answer has this root: "<ES>-<name>Response". */
const struct function *function_by_response_root(const char *root);
/* By the two parts of a URL: ("es4", "GetEUICCInfo"); interface in any letter case; NULL: none. */
const struct function *function_by_url(const char *iface, const char *name);

const char *iface_name(enum iface iface);      /* "ES4A" */
const char *group_name(enum group group);      /* "eUICCManagement" */
const char *role_name(enum role role);         /* "operator", "sm-sr": as in the registry and rspctl */
bool role_parse(const char *text, enum role *out);

/* wsa:Action of a request or notification, of the answer on the connection, of a callback (wire.md 2.3). out: 160 characters are enough
 * for every row; the return value is out. */
enum { ACTION_MAX = 160 };
const char *function_request_action(const struct function *f, char out[ACTION_MAX]);
const char *function_response_action(const struct function *f, char out[ACTION_MAX]);
const char *function_callback_action(const struct function *f, char out[ACTION_MAX]);

#endif
