/* SPDX-License-Identifier: Apache-2.0 */
/* What operators are told on ES2 and ES4, and what an SM-DP is told for them on ES3 (wire.md 5.2 to 5.4). */
#include "common/msg/bind_internal.h"

static const struct bind_field profile_fields[] = {
	EID(struct profile_notification, eid, "Eid"),
	ICCID(struct profile_notification, iccid, "Iccid"),
	COMPLETED(struct profile_notification, completed),
	{ 0 },
};
const struct bind_group profile_notification_group = { NULL, sizeof(struct profile_notification), profile_fields };
const struct bind_message es2_profile_disabled_notification = { "ES2-HandleProfileDisabledNotification", BASE_NOTIFICATION,
								&profile_notification_group };
const struct bind_message es2_profile_deleted_notification = { "ES2-HandleProfileDeletedNotification", BASE_NOTIFICATION,
							       &profile_notification_group };
const struct bind_message es4_profile_enabled_notification = { "ES4-HandleProfileEnabledNotification", BASE_NOTIFICATION,
							       &profile_notification_group };
const struct bind_message es4_profile_disabled_notification = { "ES4-HandleProfileDisabledNotification", BASE_NOTIFICATION,
								&profile_notification_group };
const struct bind_message es4_profile_deleted_notification = { "ES4-HandleProfileDeletedNotification", BASE_NOTIFICATION,
							       &profile_notification_group };

static const struct bind_field es2_enabled_fields[] = {
	EID(struct profile_notification, eid, "Eid"),
	ICCID(struct profile_notification, iccid, "Iccid"),
	COMPLETED_RARE(struct profile_notification, completed),
	{ 0 },
};
static const struct bind_group es2_enabled_group = { NULL, sizeof(struct profile_notification), es2_enabled_fields };
const struct bind_message es2_profile_enabled_notification = { "ES2-HandleProfileEnabledNotification", BASE_NOTIFICATION,
							       &es2_enabled_group };

static const struct bind_field es3_profile_fields[] = {
	EID(struct es3_profile_notification, es2.eid, "Eid"),
	ICCID(struct es3_profile_notification, es2.iccid, "Iccid"),
	OID(struct es3_profile_notification, mno, "Mno-id"),
	COMPLETED(struct es3_profile_notification, es2.completed),
	{ 0 },
};
const struct bind_group es3_profile_notification_group = { NULL, sizeof(struct es3_profile_notification), es3_profile_fields };
const struct bind_message es3_profile_enabled_notification = { "ES3-HandleProfileEnabledNotification", BASE_NOTIFICATION,
							       &es3_profile_notification_group };
const struct bind_message es3_profile_disabled_notification = { "ES3-HandleProfileDisabledNotification", BASE_NOTIFICATION,
								&es3_profile_notification_group };
const struct bind_message es3_profile_deleted_notification = { "ES3-HandleProfileDeletedNotification", BASE_NOTIFICATION,
							       &es3_profile_notification_group };

static const struct bind_field smsr_change_fields[] = {
	GROUP(struct smsr_change_notification, eis, "Eis", eis_group),
	COMPLETED(struct smsr_change_notification, completed),
	{ 0 },
};
static const struct bind_group smsr_change_group = { NULL, sizeof(struct smsr_change_notification), smsr_change_fields };
const struct bind_message es2_smsr_change_notification = { "ES2-HandleSMSRChangeNotification", BASE_NOTIFICATION,
							   &smsr_change_group };
const struct bind_message es4_smsr_change_notification = { "ES4-HandleSMSRChangeNotification", BASE_NOTIFICATION,
							   &smsr_change_group };

static const struct bind_field es3_smsr_change_fields[] = {
	GROUP(struct es3_smsr_change_notification, es2.eis, "Eis", eis_group),
	OID(struct es3_smsr_change_notification, mno, "Mno-id"),
	COMPLETED_RARE(struct es3_smsr_change_notification, es2.completed),
	{ 0 },
};
static const struct bind_group es3_smsr_change_group = { NULL, sizeof(struct es3_smsr_change_notification),
							 es3_smsr_change_fields };
const struct bind_message es3_smsr_change_notification = { "ES3-HandleSMSRChangeNotification", BASE_NOTIFICATION,
							   &es3_smsr_change_group };
