/* SPDX-License-Identifier: Apache-2.0 */
/* The EIS of wire.md 6, in the order of its schema. */
#include "common/msg/bind_internal.h"

static const char *const profile_state_names[] = { "Created", "Disabled", "Enabled", NULL };
static const char *const pol2_subject_names[] = { "PROFILE", NULL };
static const char *const sd_role_names[] = { "ISD-R", "ECASD", NULL };
static const char *const keyset_type_names[] = { "SCP03", "SCP80", "SCP81", "TokenGeneration", "ReceiptVerification", "CA", NULL };

static const struct bind_field pol2_rule_fields[] = {
	ROW(struct pol2_rule, subject, "Subject", BIND_ENUM, "POL2RuleSubjectType", .names = pol2_subject_names),
	ROW(struct pol2_rule, action, "Action", BIND_ENUM, "POL2RuleActionType", .names = pol2_action_names),
	ROW(struct pol2_rule, qualification, "Qualification", BIND_ENUM, "POL2RuleQualificationType",
	    .names = pol2_qualification_names),
	{ 0 },
};
static const struct bind_group pol2_rule_group = { "POL2RuleType", sizeof(struct pol2_rule), pol2_rule_fields };

static const struct bind_field pol2_fields[] = {
	MANY_GROUP(struct pol2, rules, n_rules, "Rule", pol2_rule_group, 0, 0),
	{ 0 },
};
const struct bind_group pol2_group = { "POL2Type", sizeof(struct pol2), pol2_fields };

static const struct bind_field address_fields[] = {
	OPT_IN(struct subscription_address, imsi, "Imsi", BIND_PATTERN, "IMSIType"),
	OPT_IN(struct subscription_address, msisdn, "Msisdn", BIND_PATTERN, "MSISDNType"),
	{ 0 },
};
const struct bind_group address_group = { "SubscriptionAddressType", sizeof(struct subscription_address), address_fields };

static const struct bind_field profile_fields[] = {
	ICCID(struct profile_info, iccid, "Iccid"),
	AID(struct profile_info, isdp_aid, "Isd-p-aid"),
	OID(struct profile_info, mno, "Mno-id"),
	BOOL(struct profile_info, fallback, "FallbackAttribute"),
	GROUP(struct profile_info, address, "SubscriptionAddress", address_group),
	ROW(struct profile_info, state, "State", BIND_ENUM, "ProfileStateType", .names = profile_state_names),
	OPT(struct profile_info, smdp, "Smdp-id", BIND_OID, "ObjectIdentifierType"),
	OPT_IN(struct profile_info, profile_type, "ProfileType", BIND_STRING, "String100", .max = 100),
	BYTES_LEFT(struct profile_info, allocated_memory, "AllocatedMemory"),
	OPT(struct profile_info, free_memory, "FreeMemory", BIND_INT, "xs:nonNegativeInteger", .max = INT64_MAX),
	GROUP(struct profile_info, pol2, "pol2", pol2_group),
	{ 0 },
};
static const struct bind_group profile_group = { NULL, sizeof(struct profile_info), profile_fields };

static const struct bind_field component_fields[] = {
	ROW(struct key_component, type, "type", BIND_HEX, "KeyTypeCodingType", .flags = BIND_ATTR, .min = 1, .max = 1),
	ROW(struct key_component, value, "value", BIND_HEX, "xs:hexBinary", .flags = BIND_ATTR | BIND_SECRET),
	{ 0 },
};
static const struct bind_group component_group = { NULL, sizeof(struct key_component), component_fields };

static const struct bind_field key_fields[] = {
	ROW(struct key, kcv, "kcv", BIND_HEX, "xs:hexBinary", .flags = BIND_ATTR),
	ROW(struct key, index, "Index", BIND_INT, "KeyIndexType", .max = 127),
	MANY_GROUP(struct key, components, n_components, "KeyComponents", component_group, 1, 0),
	{ 0 },
};
static const struct bind_group key_group = { "KeyType", sizeof(struct key), key_fields };

static const struct bind_field certificate_fields[] = {
	ROW(struct gp_certificate, index, "Index", BIND_INT, "KeyIndexType", .max = 127),
	OID(struct gp_certificate, ca, "CaId"),
	ROW(struct gp_certificate, value, "Value", BIND_HEX, "xs:hexBinary"),
	{ 0 },
};
static const struct bind_group certificate_group = { "GPCertificateType", sizeof(struct gp_certificate), certificate_fields };

enum { CHOICE_MAX = 128 }; /* keys and certificates of one set together */
static const struct bind_field keyset_fields[] = {
	ROW(struct keyset, version, "Version", BIND_INT, "KeysetVersionType", .min = 1, .max = 127),
	OPT(struct keyset, type, "Type", BIND_ENUM, "KeysetUsageType", .names = keyset_type_names),
	OPT(struct keyset, counter, "Cntr", BIND_INT, "xs:nonNegativeInteger", .max = INT64_MAX),
	{ .name = "Key",
	  .type = BIND_GROUP,
	  .flags = BIND_MANY | BIND_CHOICE,
	  .offset = offsetof(struct keyset, keys),
	  .count_offset = offsetof(struct keyset, n_keys),
	  .size = sizeof(struct key),
	  .max_occurs = CHOICE_MAX,
	  .sub = &key_group },
	{ .name = "Certificate",
	  .type = BIND_GROUP,
	  .flags = BIND_MANY | BIND_CHOICE,
	  .offset = offsetof(struct keyset, certificates),
	  .count_offset = offsetof(struct keyset, n_certificates),
	  .size = sizeof(struct gp_certificate),
	  .max_occurs = CHOICE_MAX,
	  .sub = &certificate_group },
	{ 0 },
};
static const struct bind_group keyset_group = { NULL, sizeof(struct keyset), keyset_fields };

static const struct bind_field sd_fields[] = {
	AID(struct security_domain, aid, "Aid"),
	MANY(struct security_domain, tars, n_tars, "Tar", BIND_HEX, "TARType", 0, 0, .min = 3, .max = 3),
	ROW(struct security_domain, sin, "Sin", BIND_HEX, "hexBinary16", .max = 16),
	ROW(struct security_domain, sdin, "Sdin", BIND_HEX, "hexBinary16", .max = 16),
	ROW(struct security_domain, role, "Role", BIND_ENUM, "SDRoleType", .names = sd_role_names),
	MANY_GROUP(struct security_domain, keysets, n_keysets, "Keyset", keyset_group, 1, 127),
	{ 0 },
};
static const struct bind_group sd_group = { "SecurityDomainType", sizeof(struct security_domain), sd_fields };

static const struct bind_field capability_fields[] = {
	BOOL(struct euicc_capabilities, cattp_support, "CattpSupport"),
	OPT_IN(struct euicc_capabilities, cattp_version, "CattpVersion", BIND_PATTERN, "ThreeDigitVersion"),
	BOOL(struct euicc_capabilities, http_support, "HttpSupport"),
	OPT_IN(struct euicc_capabilities, http_version, "HttpVersion", BIND_PATTERN, "ThreeDigitVersion"),
	VERSION(struct euicc_capabilities, secure_packet_version, "SecurePacketVersion"),
	VERSION(struct euicc_capabilities, remote_provisioning_version, "RemoteProvisioningVersion"),
	{ 0 },
};
static const struct bind_group capability_group = { NULL, sizeof(struct euicc_capabilities), capability_fields };

static const struct bind_field info_fields[] = {
	EID(struct eum_signed_info, eid, "Eid"),
	OID(struct eum_signed_info, eum, "Eum-id"),
	TIME(struct eum_signed_info, production_date, "ProductionDate"),
	STRING100(struct eum_signed_info, platform_type, "PlatformType"),
	VERSION(struct eum_signed_info, platform_version, "PlatformVersion"),
	AID(struct eum_signed_info, isdp_loadfile_aid, "Isd-p-loadfile-aid"),
	AID(struct eum_signed_info, isdp_module_aid, "Isd-p-module-aid"),
	GROUP(struct eum_signed_info, ecasd, "Ecasd", sd_group),
	GROUP(struct eum_signed_info, capabilities, "EuiccCapabilities", capability_group),
	{ 0 },
};
const struct bind_group eum_signed_info_group = { NULL, sizeof(struct eum_signed_info), info_fields };

static const struct bind_field record_fields[] = {
	EID(struct audit_record, eid, "Eid"),
	OID(struct audit_record, smsr, "Smsr-id"),
	TIME(struct audit_record, date, "OperationDate"),
	ROW(struct audit_record, operation, "OperationType", BIND_HEX, NULL, .min = 2, .max = 2),
	OPT(struct audit_record, requester, "RequesterId", BIND_OID, "ObjectIdentifierType"),
	OPT_GROUP(struct audit_record, status, "OperationExecutionStatus", execution_status_group),
	OPT(struct audit_record, isdp_aid, "Isd-p-aid", BIND_AID, "AIDType"),
	OPT(struct audit_record, iccid, "Iccid", BIND_ICCID, "ICCIDType"),
	OPT_IN(struct audit_record, imei, "Imei", BIND_HEX, "xs:hexBinary"),
	OPT_IN(struct audit_record, meid, "Meid", BIND_HEX, "xs:hexBinary"),
	{ 0 },
};
static const struct bind_group record_group = { "AuditTrailRecordType", sizeof(struct audit_record), record_fields };

static const struct bind_field trail_fields[] = {
	MANY_GROUP(struct audit_trail, records, n_records, "Record", record_group, 0, 0),
	{ 0 },
};
static const struct bind_group trail_group = { NULL, sizeof(struct audit_trail), trail_fields };

static const struct bind_field property_fields[] = {
	ROW(struct property, key, "key", BIND_STRING, NULL, .flags = BIND_ATTR, .min = 1, .max = 256), /* it is indexed */
	ROW(struct property, value, "value", BIND_STRING, "xs:string", .flags = BIND_ATTR),
	{ 0 },
};
static const struct bind_group property_group = { "PropertyType", sizeof(struct property), property_fields };

static const struct bind_field properties_fields[] = {
	MANY_GROUP(struct properties, items, n_items, "Property", property_group, 1, 0),
	{ 0 },
};
const struct bind_group properties_group = { "AdditionalPropertiesType", sizeof(struct properties), properties_fields };

static const struct bind_field eis_fields[] = {
	{ .name = "EumSignedInfo",
	  .type = BIND_GROUP,
	  .flags = BIND_SIGNED,
	  .offset = offsetof(struct eis, info),
	  .count_offset = offsetof(struct eis, info_octets),
	  .node_offset = offsetof(struct eis, info_node),
	  .sub = &eum_signed_info_group },
	ROW(struct eis, signature_octets, "EumSignature", BIND_OCTETS, "ds:SignatureType"),
	BYTES_LEFT(struct eis, remaining_memory, "RemainingMemory"),
	BYTES_LEFT(struct eis, available_memory, "AvailableMemoryForProfiles"),
	OPT(struct eis, last_audit, "LastAuditDate", BIND_TIME, "xs:dateTime"),
	SMSR(struct eis, smsr),
	MANY_GROUP(struct eis, profiles, n_profiles, "ProfileInfo", profile_group, 0, 0),
	GROUP(struct eis, isdr, "Isd-r", sd_group),
	OPT_GROUP(struct eis, audit_trail, "AuditTrail", trail_group),
	OPT_GROUP(struct eis, properties, "AdditionalProperties", properties_group),
	{ 0 },
};
const struct bind_group eis_group = { "EISType", sizeof(struct eis), eis_fields };
