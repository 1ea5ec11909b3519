/* SPDX-License-Identifier: Apache-2.0 */
/* Interoperable profile packages (TCA "eUICC Profile Package: Interoperable Format" 2.3, and 3.x as far as it only adds): a sequence of profile
 * elements, DER, AUTOMATIC TAGS. Split, check, read. Nothing is copied: what is decoded points into the package, which may hold secrets.
 * Contents of files: profile_file.h; decoded as text: profile_show.h; on the card, as it arrives: profile_reader.h. */
#ifndef CARD_PROFILE_PACKAGE_H
#define CARD_PROFILE_PACKAGE_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/card/profile_response.h"
#include "common/sgp02/ids.h"

/* The number of an element's context tag; those of version 3 are known too, so that they can be named. */
enum pe_kind {
#define PE(kind, name) PE_##kind,
#include "common/card/profile_kinds.def"
#undef PE
	PE_UNKNOWN, /* a later version's: passes through; a card refuses it when it is mandated */
};
/* Numbers of the tags in eUICC-Mandatory-services. */
enum pe_service {
#define SERVICE(service, name) SERVICE_##service,
#include "common/card/profile_kinds.def"
#undef SERVICE
	SERVICES_KNOWN,
};

enum {
	PROFILE_ELEMENTS_MAX = 1000,       /* ours: bounds the work that a package can ask for */
	PROFILE_PACKAGE_MAX = 1024 * 1024, /* bytes; ours */
	PE_NO_IDENTIFICATION = -1,
	PE_IDENTIFICATION_MAX = 32767,
};

/* Why a package or an element is refused. All texts are static; no value of the package is among them. */
struct profile_fault {
	size_t index;           /* of the element in the package, from 0 */
	const char *element;    /* "usim"; NULL: the package as a whole */
	int32_t identification; /* PE_NO_IDENTIFICATION: it has none, or it could not be read */
	const char *field;      /* "ef-imsi", NULL: the element as a whole */
	const char *what;       /* "missing" */
	uint16_t status;        /* what a card answers to it: enum pe_status */
};
/* "element 8, usim (identification 8), ef-imsi: missing" in a. */
const char *profile_fault_text(struct arena *a, const struct profile_fault *f);

struct profile_element {
	struct bytes whole; /* with tag and length */
	struct bytes value;
	enum pe_kind kind;
	const char *name;       /* as in the value notation: "genericFileManagement"; "unknown" */
	bool mandated;          /* the card must support it */
	int32_t identification; /* PE_NO_IDENTIFICATION: the header, rfu, and unknown ones that do not begin with a PEHeader */
};

struct profile_required_aid {
	struct bytes aid, version;
};
/* ProfileHeader. */
struct profile_header {
	uint64_t major, minor;
	struct bytes profile_type; /* UTF-8, not terminated; data NULL: absent */
	struct bytes iccid;        /* 10 bytes, digits in order, F behind them */
	struct bytes pol;          /* POL1; data NULL: absent, that is no rule */
	uint64_t services;         /* 1 << enum pe_service; 63: that one, or any later */
	struct bytes *templates;   /* eUICC-Mandatory-GFSTEList: contents octets of OIDs */
	size_t n_templates;
	struct bytes connectivity;         /* connectivityParameters; data NULL: absent */
	struct profile_required_aid *aids; /* eUICC-Mandatory-AIDs */
	size_t n_aids;
};

struct profile_package {
	struct bytes whole;
	struct profile_element *elements;
	size_t n;
	struct profile_header header; /* of elements[0] */
};

/* Splits the package and checks every element against its description: DER (definite, shortest lengths), order, occurs and sizes of all fields.
 * It begins with one header, ends with one end, nothing is behind it. Lists live in a, the rest points into in.
 * False: *out_fault; *out untouched. */
bool profile_package_parse(struct arena *a, struct bytes in, struct profile_package *out, struct profile_fault *out_fault);
/* The rules between elements: version, identifications unique, mf once and before files, parents before their optional parts, PUKs before the PINs
 * that name them, references and keys once per element, file identifiers unique in their directory and not reserved, files not filled beyond their size, keys as long as their algorithm wants, services and
 * templates used are those the header calls mandatory (and usim, isim, csim have their element), EF.ICCID as in the header.
 * False: *out_fault. */
bool profile_package_check(const struct profile_package *p, struct profile_fault *out_fault);

/* Takes one element off *rest and checks its fields. False: *out_fault (its index is left as it was); *rest and *out untouched. */
bool profile_element_next(struct bytes *rest, struct profile_element *out, struct profile_fault *out_fault);
const char *pe_kind_name(enum pe_kind kind);
/* NULL: not known. */
const char *pe_service_name(unsigned service);
/* The first element of a kind at or behind from; NULL: none. */
const struct profile_element *profile_element_find(const struct profile_package *p, enum pe_kind kind, size_t from);

/* What follows decodes one element that profile_element_next took; false: it is of another kind or *out_fault says why. */
bool profile_header_decode(struct arena *a, const struct profile_element *e, struct profile_header *out,
			   struct profile_fault *out_fault);
/* The ICCID as text; false: no ICCID of SGP.02 (it starts with 89). */
bool profile_header_iccid(const struct profile_header *h, struct iccid *out);
/* The POL1 byte (procedures.md 3.10, 4.4: 1 disabling not allowed, 2 deletion not allowed, 4 deletion mandatory once disabled); 0 when absent. */
uint8_t profile_header_pol1(const struct profile_header *h);

enum profile_algorithm { ALGORITHM_MILENAGE = 1, ALGORITHM_TUAK = 2, ALGORITHM_USIM_TEST = 3 };
struct profile_aka {
	bool mapped;                           /* mappingParameter: the key is another application's; nothing else is set then */
	uint64_t algorithm;                    /* enum profile_algorithm */
	struct bytes options, key, opc;        /* opc: TOPc of TUAK */
	struct bytes rotation, xoring;         /* data NULL: the default */
	struct bytes sqn_delta, sqn_age_limit; /* data NULL: the default 000010000000 */
	struct bytes *sqn_init;                /* 32, or none: all zero */
	size_t n_sqn_init;
};
bool profile_aka_decode(struct arena *a, const struct profile_element *e, struct profile_aka *out, struct profile_fault *out_fault);

/* One PIN or PUK. */
struct profile_code_entry {
	uint64_t reference;  /* pinAppl1 1, secondPINAppl1 129, adm1 10; pukAppl1 1, secondPUKAppl1 129 */
	struct bytes value;  /* 8 bytes */
	uint64_t puk;        /* unblockingPINReference; 0: none */
	uint64_t attributes; /* of a PIN */
	uint64_t tries;      /* high nibble: allowed, low nibble: left */
};
/* Of pukCodes and of pinCodes; a pinCodes that shares those of another directory (filePath) has none. */
bool profile_codes_decode(struct arena *a, const struct profile_element *e, struct profile_code_entry **out, size_t *out_n,
			  struct profile_fault *out_fault);

struct profile_sd_component {
	struct bytes type, data;
	uint64_t mac_length;
};
struct profile_sd_key {
	struct bytes usage, access;
	uint64_t id, version;
	struct bytes counter;
	struct profile_sd_component *components;
	size_t n_components;
};
struct profile_sd {
	struct aid load_package, class_aid, instance;
	struct bytes privileges, life_cycle; /* data NULL: 07 */
	struct bytes parameters;             /* C9 */
	struct profile_sd_key *keys;
	size_t n_keys;
};
/* The first securityDomain of a package is the MNO-SD. */
bool profile_sd_decode(struct arena *a, const struct profile_element *e, struct profile_sd *out, struct profile_fault *out_fault);

#endif
