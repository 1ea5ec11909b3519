/* SPDX-License-Identifier: Apache-2.0 */
/* The types of PEDefinitions (TCA interoperable format 2.3, Annex; what 3.x added stands behind it in the same tables). Where a type carries tags of its
 * own in the specification, automatic tagging does not apply to it: its rows then show universal and application tags. */
#include "common/card/profile_internal.h"

/* clang-format off */
#define ROWS(...) ((const struct pe_field[]){ __VA_ARGS__, { 0 } })
#define ROW(name_, tag_, type_, flags_, ...) { .name = (name_), .tag = (tag_), .type = (type_), .flags = (flags_), __VA_ARGS__ }
/* clang-format on */
#define OCTETS(name_, tag_, flags_, min_, max_) ROW(name_, tag_, ASN_OCTETS, flags_, .min = (min_), .max = (max_))
#define NUMBER(name_, tag_, flags_, max_) ROW(name_, tag_, ASN_NUMBER, flags_, .max = (max_))
#define NOTHING(name_, tag_) ROW(name_, tag_, ASN_NULL, OPT, .max = 0)
#define OID(name_, tag_) ROW(name_, tag_, ASN_OID, 0, .min = 1, .max = 32)
#define AID(name_, tag_, flags_) OCTETS(name_, tag_, flags_, AID_MIN, AID_MAX)
#define SEQUENCE_SUB(name_, tag_, flags_, sub_) ROW(name_, tag_, ASN_SEQUENCE, flags_, .sub = (sub_))
#define SEQUENCE(name_, tag_, flags_, ...) SEQUENCE_SUB(name_, tag_, flags_, ROWS(__VA_ARGS__))
#define LIST(name_, tag_, flags_, min_, max_, ...) \
	ROW(name_, tag_, ASN_LIST, flags_, .min = (min_), .max = (max_), .sub = ROWS(__VA_ARGS__))
#define CHOICE(name_, tag_, ...) ROW(name_, tag_, ASN_CHOICE, 0, .sub = ROWS(__VA_ARGS__))
#define HEADER_OF(name_) SEQUENCE_SUB(name_, 0xA0, 0, pe_header)

enum { OPT = FIELD_OPTIONAL, SECRET = FIELD_SECRET, BYTE = 255, UINT16 = 65535, TRIES_MAX = BYTE, REFERENCE_MAX = BYTE };

static const struct pe_field pe_header[] = {
	NOTHING("mandated", 0x80),
	NUMBER("identification", 0x81, 0, PE_IDENTIFICATION_MAX),
	{ 0 },
};

static const struct pe_field services[] = {
#define SERVICE(service, name) NOTHING(name, SERVICE_##service < 31 ? 0x80 | SERVICE_##service : 0x9F00 | SERVICE_##service),
#include "common/card/profile_kinds.def"
#undef SERVICE
	{ 0 },
};

static const struct pe_field header[] = {
	NUMBER("major-version", 0x80, 0, BYTE),
	NUMBER("minor-version", 0x81, 0, BYTE),
	ROW("profileType", 0x82, ASN_TEXT, OPT, .min = 1, .max = 100),
	OCTETS("iccid", 0x83, 0, 10, 10),
	OCTETS("pol", 0x84, OPT, 0, 0),
	SEQUENCE_SUB("eUICC-Mandatory-services", 0xA5, 0, services),
	LIST("eUICC-Mandatory-GFSTEList", 0xA6, 0, 0, 0, OID("templateID", 0x06)),
	OCTETS("connectivityParameters", 0x87, OPT, 0, 0),
	LIST("eUICC-Mandatory-AIDs", 0xA8, OPT, 0, 0,
	     SEQUENCE("required", 0x30, 0, AID("aid", 0x80, 0), OCTETS("version", 0x81, 0, 2, 2))),
	SEQUENCE("iotOptions", 0xA9, OPT, OCTETS("pix", 0x80, 0, 7, 11)),
	{ 0 },
};

static const struct pe_field proprietary[] = {
	OCTETS("specialFileInformation", 0xC0, OPT, 1, 1),
	OCTETS("fillPattern", 0xC1, OPT, 1, 200),
	OCTETS("repeatPattern", 0xC2, OPT, 1, 200),
	OCTETS("maximumFileSize", 0x86, OPT, 1, 4),
	OCTETS("fileDetails", 0x84, OPT, 1, 1),
	{ 0 },
};
static const struct pe_field fcp[] = {
	OCTETS("fileDescriptor", 0x82, OPT, 2, 4),
	OCTETS("fileID", 0x83, OPT, 2, 2),
	AID("dfName", 0x84, OPT),
	OCTETS("lcsi", 0x8A, OPT, 1, 1),
	OCTETS("securityAttributesReferenced", 0x8B, OPT, 1, 3),
	OCTETS("efFileSize", 0x80, OPT, 1, 4),
	OCTETS("pinStatusTemplateDO", 0xC6, OPT, 0, 0),
	OCTETS("shortEFID", 0x88, OPT, 0, 1),
	SEQUENCE_SUB("proprietaryEFInfo", 0xA5, OPT, proprietary),
	OCTETS("linkPath", 0xC7, OPT, 0, 8),
	{ 0 },
};
const struct pe_field PE_FILE_FIELDS[] = {
	NOTHING("doNotCreate", 0x80),
	SEQUENCE_SUB("fileDescriptor", 0xA1, 0, fcp),
	NUMBER("fillFileOffset", 0x82, 0, UINT16),
	OCTETS("fillFileContent", 0x83, 0, 0, 0),
	{ 0 },
};
static const struct pe_field file_commands[] = {
	OCTETS("filePath", 0x80, 0, 0, 8),
	SEQUENCE_SUB("createFCP", 0x62, 0, fcp),
	NUMBER("fillFileOffset", 0x02, 0, UINT16),
	OCTETS("fillFileContent", 0x81, 0, 0, 0),
	{ 0 },
};
static const struct pe_field file_management[] = {
	ROW("commands", 0x30, ASN_CHOICES, 0, .min = 1, .sub = file_commands),
	{ 0 },
};
static const struct pe_field generic_file_management[] = {
	HEADER_OF("gfm-header"),
	ROW("fileManagementCMD", 0xA1, ASN_LIST, 0, .min = 1, .sub = file_management),
	{ 0 },
};

static const struct pe_field algorithm[] = {
	NUMBER("algorithmID", 0x80, 0, BYTE),
	OCTETS("algorithmOptions", 0x81, 0, 1, 1),
	OCTETS("key", 0x82, SECRET, 0, 64),
	OCTETS("opc", 0x83, SECRET, 0, 64),
	OCTETS("rotationConstants", 0x84, OPT, 5, 5),
	OCTETS("xoringConstants", 0x85, OPT, 80, 80),
	OCTETS("authCounterMax", 0x86, OPT, 3, 3),
	NUMBER("numberOfKeccak", 0x87, OPT, BYTE),
	{ 0 },
};
static const struct pe_field aka_parameter[] = {
	HEADER_OF("aka-header"),
	CHOICE("algoConfiguration", 0xA1,
	       SEQUENCE("mappingParameter", 0xA0, 0, OCTETS("mappingOptions", 0x80, 0, 1, 1), AID("mappingSource", 0x81, 0)),
	       SEQUENCE_SUB("algoParameter", 0xA1, 0, algorithm)),
	OCTETS("sqnOptions", 0x82, OPT, 1, 1),
	OCTETS("sqnDelta", 0x83, OPT, 6, 6),
	OCTETS("sqnAgeLimit", 0x84, OPT, 6, 6),
	LIST("sqnInit", 0xA5, OPT, 32, 32, OCTETS("sqn", 0x04, 0, 6, 6)),
	{ 0 },
};
static const struct pe_field cdma_parameter[] = {
	HEADER_OF("cdma-header"),
	OCTETS("authenticationKey", 0x81, SECRET, 8, 8),
	OCTETS("ssd", 0x82, OPT | SECRET, 16, 16),
	OCTETS("hrpdAccessAuthenticationData", 0x83, OPT | SECRET, 2, 32),
	OCTETS("simpleIPAuthenticationData", 0x84, OPT | SECRET, 3, 483),
	OCTETS("mobileIPAuthenticationData", 0x85, OPT | SECRET, 5, 957),
	{ 0 },
};

static const struct pe_field pin_codes[] = {
	HEADER_OF("pin-Header"),
	CHOICE("pinCodes", 0xA1,
	       LIST("pinconfig", 0xA0, 0, 1, 26,
		    SEQUENCE("pin", 0x30, 0, NUMBER("keyReference", 0x80, 0, REFERENCE_MAX), OCTETS("pinValue", 0x81, SECRET, 8, 8),
			     NUMBER("unblockingPINReference", 0x82, OPT, REFERENCE_MAX), NUMBER("pinAttributes", 0x83, OPT, BYTE),
			     NUMBER("maxNumOfAttemps-retryNumLeft", 0x84, OPT, TRIES_MAX))),
	       OCTETS("filePath", 0x81, 0, 0, 8)),
	{ 0 },
};
static const struct pe_field puk_codes[] = {
	HEADER_OF("puk-Header"),
	LIST("pukCodes", 0xA1, 0, 1, 16,
	     SEQUENCE("puk", 0x30, 0, NUMBER("keyReference", 0x80, 0, REFERENCE_MAX), OCTETS("pukValue", 0x81, SECRET, 8, 8),
		      NUMBER("maxNumOfAttemps-retryNumLeft", 0x82, OPT, TRIES_MAX))),
	{ 0 },
};

/* GlobalPlatform: applications and security domains. */
static const struct pe_field system_parameters[] = {
	OCTETS("volatileMemoryQuotaC7", 0xC7, OPT, 2, 4),
	OCTETS("nonVolatileMemoryQuotaC8", 0xC8, OPT, 2, 4),
	OCTETS("globalServiceParameters", 0xCB, OPT, 0, 0),
	OCTETS("implicitSelectionParameter", 0xCF, OPT, 0, 0),
	OCTETS("volatileReservedMemory", 0xD7, OPT, 2, 4),
	OCTETS("nonVolatileReservedMemory", 0xD8, OPT, 2, 4),
	OCTETS("ts102226SIMFileAccessToolkitParameter", 0xCA, OPT, 0, 0),
	SEQUENCE("ts102226AdditionalContactlessParameters", 0xA0, OPT, OCTETS("protocolParameterData", 0x80, 0, 0, 0)),
	OCTETS("contactlessProtocolParameters", 0xD9, OPT, 0, 0),
	OCTETS("userInteractionContactlessParameters", 0xDA, OPT, 0, 0),
	OCTETS("cumulativeGrantedVolatileMemory", 0x82, OPT, 2, 4),
	OCTETS("cumulativeGrantedNonVolatileMemory", 0x83, OPT, 2, 4),
	{ 0 },
};
static const struct pe_field uicc_parameters[] = {
	OCTETS("uiccToolkitApplicationSpecificParametersField", 0x80, OPT, 0, 0),
	OCTETS("uiccAccessApplicationSpecificParametersField", 0x81, OPT, 0, 0),
	OCTETS("uiccAdministrativeAccessApplicationSpecificParametersField", 0x82, OPT, 0, 0),
	{ 0 },
};
static const struct pe_field instance[] = {
	AID("applicationLoadPackageAID", 0x4F, 0),
	AID("classAID", 0x4F, 0),
	AID("instanceAID", 0x4F, 0),
	AID("extraditeSecurityDomainAID", 0x4F, OPT),
	OCTETS("applicationPrivileges", 0x82, 0, 0, 0),
	OCTETS("lifeCycleState", 0x83, OPT, 1, 1),
	OCTETS("applicationSpecificParametersC9", 0xC9, 0, 0, 0),
	SEQUENCE_SUB("systemSpecificParameters", 0xEF, OPT, system_parameters),
	SEQUENCE_SUB("applicationParameters", 0xEA, OPT, uicc_parameters),
	LIST("processData", 0x30, OPT, 1, 0, OCTETS("data", 0x04, SECRET, 0, 0)),
	SEQUENCE("controlReferenceTemplate", 0xB0, OPT, OCTETS("applicationProviderIdentifier", 0x5F20, 0, 0, 0)),
	{ 0 },
};
static const struct pe_field key[] = {
	OCTETS("keyUsageQualifier", 0x95, 0, 1, 2),
	OCTETS("keyAccess", 0x96, OPT, 1, 1),
	OCTETS("keyIdentifier", 0x82, 0, 1, 1),
	OCTETS("keyVersionNumber", 0x83, 0, 1, 1),
	OCTETS("keyCounterValue", 0x85, OPT, 0, 0),
	LIST("keyComponents", 0x30, 0, 1, 0,
	     SEQUENCE("component", 0x30, 0, OCTETS("keyType", 0x80, 0, 1, 2), OCTETS("keyData", 0x86, SECRET, 0, 0),
		      NUMBER("macLength", 0x87, OPT, BYTE))),
	{ 0 },
};
static const struct pe_field security_domain[] = {
	HEADER_OF("sd-Header"),
	SEQUENCE_SUB("instance", 0xA1, 0, instance),
	LIST("keyList", 0xA2, OPT, 1, 0, SEQUENCE_SUB("key", 0x30, 0, key)),
	LIST("sdPersoData", 0xA3, OPT, 1, 0, OCTETS("data", 0x04, SECRET, 0, 0)),
	SEQUENCE("openPersoData", 0xA4, OPT, OCTETS("restrictParameter", 0xD9, OPT, 1, 1),
		 OCTETS("contactlessProtocolParameters", 0x04, OPT, 0, 0)),
	SEQUENCE("catTpParameters", 0xA5, OPT, NUMBER("catTpMaxSduSize", 0x80, 0, UINT16),
		 NUMBER("catTpMaxPduSize", 0x81, 0, UINT16)),
	{ 0 },
};
static const struct pe_field rfm[] = {
	HEADER_OF("rfm-header"),
	AID("instanceAID", 0x4F, 0),
	AID("securityDomainAID", 0x4F, OPT),
	LIST("tarList", 0xA0, OPT, 1, 0, OCTETS("tar", 0x04, 0, 3, 3)),
	OCTETS("minimumSecurityLevel", 0x81, 0, 1, 1),
	OCTETS("uiccAccessDomain", 0x04, 0, 0, 0),
	OCTETS("uiccAdminAccessDomain", 0x04, 0, 0, 0),
	SEQUENCE("adfRFMAccess", 0x30, OPT, AID("adfAID", 0x80, 0), OCTETS("adfAccessDomain", 0x81, 0, 0, 0),
		 OCTETS("adfAdminAccessDomain", 0x82, 0, 0, 0)),
	{ 0 },
};
static const struct pe_field application[] = {
	HEADER_OF("app-Header"),
	SEQUENCE("loadBlock", 0xA1, OPT, AID("loadPackageAID", 0x4F, 0), AID("securityDomainAID", 0x4F, OPT),
		 OCTETS("nonVolatileCodeLimitC6", 0xC6, OPT, 0, 0), OCTETS("volatileDataLimitC7", 0xC7, OPT, 0, 0),
		 OCTETS("nonVolatileDataLimitC8", 0xC8, OPT, 0, 0), OCTETS("hashValue", 0xC1, OPT, 0, 0),
		 OCTETS("loadBlockObject", 0xC4, 0, 0, 0)),
	LIST("instanceList", 0xA2, OPT, 1, 0, SEQUENCE_SUB("instance", 0x30, 0, instance)),
	{ 0 },
};
static const struct pe_field non_standard[] = {
	HEADER_OF("nonStandard-header"),
	OID("issuerID", 0x81),
	OCTETS("content", 0x82, SECRET, 0, 0),
	{ 0 },
};
static const struct pe_field end[] = { HEADER_OF("end-header"), { 0 } };
static const struct pe_field nothing[] = { { 0 } };
/* What every element that creates files from a template begins with. */
static const struct pe_field template_fields[] = { HEADER_OF("header"), OID("templateID", 0x81), { 0 } };

#define TEMPLATE(kind, ...) static const char *const files_##kind[] = { __VA_ARGS__, NULL };
#include "common/card/profile_files.def"
#undef TEMPLATE

#define PLAIN(kind, sub_) [PE_##kind] = { .type = ASN_SEQUENCE, .sub = (sub_) }

static const struct pe_field elements[] = {
	PLAIN(HEADER, header),
	PLAIN(GENERIC_FILE_MANAGEMENT, generic_file_management),
	PLAIN(PIN_CODES, pin_codes),
	PLAIN(PUK_CODES, puk_codes),
	PLAIN(AKA_PARAMETER, aka_parameter),
	PLAIN(CDMA_PARAMETER, cdma_parameter),
	PLAIN(SECURITY_DOMAIN, security_domain),
	PLAIN(RFM, rfm),
	PLAIN(APPLICATION, application),
	PLAIN(NON_STANDARD, non_standard),
	PLAIN(END, end),
	PLAIN(RFU1, nothing),
	PLAIN(RFU2, nothing),
	PLAIN(RFU3, nothing),
	PLAIN(RFU4, nothing),
	PLAIN(RFU5, nothing),
#define TEMPLATE(kind, ...) [PE_##kind] = { .type = ASN_FILES, .sub = template_fields, .files = files_##kind },
#include "common/card/profile_files.def"
#undef TEMPLATE
};

const struct pe_field *pe_describe(enum pe_kind kind)
{
	return kind < LEN(elements) ? &elements[kind] : NULL;
}

enum { FILES_FROM = 2, LOW_TAGS = 31 };

bool pe_file_field(const struct pe_field *element, uint32_t tag, struct pe_field *out)
{
	uint32_t low = tag & 0x1F, number = tag > 0xFF ? tag & 0x7F : low;

	if ((tag & ~UINT32_C(0x1F)) != 0xA0 && (tag & ~UINT32_C(0x7F)) != 0xBF00)
		return false;
	for (uint32_t i = 0; element->files[i]; i++) {
		const char *name = element->files[i];

		if (FILES_FROM + i != number || (number < LOW_TAGS) != (tag <= 0xFF))
			continue;
		*out = (struct pe_field){ .name = name + (*name == '*'),
					  .tag = tag,
					  .type = ASN_CHOICES,
					  .flags = *name == '*' ? 0 : OPT,
					  .sub = PE_FILE_FIELDS };
		return true;
	}
	return false;
}
