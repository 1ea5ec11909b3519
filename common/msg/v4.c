/* SPDX-License-Identifier: Apache-2.0 */
/* What v4 added on ES2, ES3 and ES4. No schema of it is at hand: names of functions are known, the elements and their order are
 * proposed (wire.md 9.2) after the habits of v3. They change here when a schema is found. */
#include "common/msg/bind_internal.h"

static const struct bind_field audit_fields[] = {
	REQUEST_ROWS,
	EID(struct es2_audit_eis_rq, es3.eid, "Eid"),
	SMSR(struct es2_audit_eis_rq, smsr),
	MANY(struct es2_audit_eis_rq, es3.iccids, es3.n_iccids, "Iccid", BIND_ICCID, "ICCIDType", 0, 0),
	{ 0 },
};
static const struct bind_group audit_group = { NULL, sizeof(struct es2_audit_eis_rq), audit_fields };
const struct bind_message es2_audit_eis_request = { "ES2-AuditEISRequest", BASE_REQUEST, &audit_group };
const struct bind_message es2_audit_eis_response = { "ES2-AuditEISResponse", BASE_RESPONSE, &audit_rs_group };

static const struct bind_field downloaded_fields[] = {
	EID(struct profile_downloaded_notification, eid, "Eid"),
	ICCID(struct profile_downloaded_notification, iccid, "Iccid"),
	OPT(struct profile_downloaded_notification, owner, "Mno-id", BIND_OID, "ObjectIdentifierType"),
	OPT_IN(struct profile_downloaded_notification, profile_type, "ProfileType", BIND_STRING, "String100", .max = 100),
	COMPLETED(struct profile_downloaded_notification, completed),
	{ 0 },
};
static const struct bind_group downloaded_group = { NULL, sizeof(struct profile_downloaded_notification), downloaded_fields };
const struct bind_message es2_profile_downloaded_notification = { "ES2-HandleProfileDownloadedNotification", BASE_NOTIFICATION,
								  &downloaded_group };
const struct bind_message es4_profile_downloaded_notification = { "ES4-HandleProfileDownloadedNotification", BASE_NOTIFICATION,
								  &downloaded_group };

static const struct bind_field es3_downloaded_fields[] = {
	EID(struct es3_profile_downloaded_notification, es2.eid, "Eid"),
	ICCID(struct es3_profile_downloaded_notification, es2.iccid, "Iccid"),
	OID(struct es3_profile_downloaded_notification, mno, "Mno-id"),
	OPT_IN(struct es3_profile_downloaded_notification, es2.profile_type, "ProfileType", BIND_STRING, "String100", .max = 100),
	COMPLETED(struct es3_profile_downloaded_notification, es2.completed),
	{ 0 },
};
static const struct bind_group es3_downloaded_group = { NULL, sizeof(struct es3_profile_downloaded_notification),
							es3_downloaded_fields };
const struct bind_message es3_profile_downloaded_notification = { "ES3-HandleProfileDownloadedNotification", BASE_NOTIFICATION,
								  &es3_downloaded_group };

static const struct bind_field pol2_updated_fields[] = {
	EID(struct pol2_updated_notification, eid, "Eid"),
	ICCID(struct pol2_updated_notification, iccid, "Iccid"),
	OPT_GROUP(struct pol2_updated_notification, pol2, "pol2", pol2_group),
	COMPLETED(struct pol2_updated_notification, completed),
	{ 0 },
};
static const struct bind_group pol2_updated_group = { NULL, sizeof(struct pol2_updated_notification), pol2_updated_fields };
const struct bind_message es2_pol2_updated_notification = { "ES2-HandleProfilePOL2UpdatedNotification", BASE_NOTIFICATION,
							    &pol2_updated_group };
const struct bind_message es4_pol2_updated_notification = { "ES4-HandleProfilePOL2UpdatedNotification", BASE_NOTIFICATION,
							    &pol2_updated_group };

static const struct bind_field es3_pol2_updated_fields[] = {
	EID(struct es3_pol2_updated_notification, es2.eid, "Eid"),
	ICCID(struct es3_pol2_updated_notification, es2.iccid, "Iccid"),
	OID(struct es3_pol2_updated_notification, mno, "Mno-id"),
	OPT_GROUP(struct es3_pol2_updated_notification, es2.pol2, "pol2", pol2_group),
	COMPLETED(struct es3_pol2_updated_notification, es2.completed),
	{ 0 },
};
static const struct bind_group es3_pol2_updated_group = { NULL, sizeof(struct es3_pol2_updated_notification),
							  es3_pol2_updated_fields };
const struct bind_message es3_pol2_updated_notification = { "ES3-HandleProfilePOL2UpdatedNotification", BASE_NOTIFICATION,
							    &es3_pol2_updated_group };

/* The same of all three interfaces: a profile lost or gained an attribute. */
#define ATTRIBUTE(function, name)                                                                                        \
	const struct bind_message es2_##name##_notification = { "ES2-Handle" function "Notification", BASE_NOTIFICATION, \
								&profile_notification_group };                           \
	const struct bind_message es3_##name##_notification = { "ES3-Handle" function "Notification", BASE_NOTIFICATION, \
								&es3_profile_notification_group };                       \
	const struct bind_message es4_##name##_notification = { "ES4-Handle" function "Notification", BASE_NOTIFICATION, \
								&profile_notification_group }
ATTRIBUTE("EmergencyProfileAttributeSet", emergency_set);
ATTRIBUTE("EmergencyProfileAttributeUnset", emergency_unset);
ATTRIBUTE("FallBackAttributeSet", fallback_set);
ATTRIBUTE("FallBackAttributeUnset", fallback_unset);
