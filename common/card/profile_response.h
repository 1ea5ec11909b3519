/* SPDX-License-Identifier: Apache-2.0 */
/* EUICCResponse: what a card says of the profile elements it was given (TCA interoperable format 2.3; it comes back in the last 86 TLV). */
#ifndef CARD_PROFILE_RESPONSE_H
#define CARD_PROFILE_RESPONSE_H

#include <stdbool.h>

#include "common/base/buf.h"

/* PEStatus.status; 0x6000..0x6FFF and 0x9000..0x9FFF are status words, 0xA000..0xFFFF the card's own. */
enum pe_status {
	PE_STATUS_OK = 0,
	PE_STATUS_NOT_SUPPORTED = 1,
	PE_STATUS_MEMORY_FAILURE = 2,
	PE_STATUS_BAD_VALUES = 3,
	PE_STATUS_NOT_ENOUGH_MEMORY = 4,
	PE_STATUS_INVALID_REQUEST_FORMAT = 5,
	PE_STATUS_INVALID_PARAMETER = 6,
	PE_STATUS_RUNTIME_NOT_SUPPORTED = 7,
	PE_STATUS_LIB_NOT_SUPPORTED = 8,
	PE_STATUS_TEMPLATE_NOT_SUPPORTED = 9,
	PE_STATUS_FEATURE_NOT_SUPPORTED = 10,
	PE_STATUS_PIN_CODE_MISSING = 11,
	PE_STATUS_UNSUPPORTED_PROFILE_VERSION = 31,
};
enum { EUICC_RESPONSE_STATUSES_MAX = 64, EUICC_RESPONSE_MESSAGE_MAX = 64 };

struct pe_status_entry {
	uint16_t status;
	int32_t identification; /* -1: absent, that is of no element or of all */
	int32_t additional;     /* -1: absent */
	int64_t offset;         /* into the element; -1: absent */
};

struct euicc_response {
	struct pe_status_entry *statuses;
	size_t n;
	bool aborted;         /* profileInstallationAborted: the ISD-P is to be deleted */
	struct bytes message; /* UTF-8, 2 to 64 bytes; data NULL: absent */
};

/* Appends the DER. The card's example 3007A00530038001 00 (card.md 4) is { { PE_STATUS_OK, -1, -1, -1 } }. */
void euicc_response_build(struct buf *out, const struct euicc_response *r);
/* Reads one EUICCResponse with nothing behind it; unknown trailing fields are skipped. The list lives in a, message points into in.
 * False: *out_why (static) says what is wrong; *out untouched. */
bool euicc_response_parse(struct arena *a, struct bytes in, struct euicc_response *out, const char **out_why);

/* The first status other than ok; NULL: every element was taken. A response that only says aborted, or has no status, is a failure of no element:
 * ask euicc_response_ok. */
const struct pe_status_entry *euicc_response_failure(const struct euicc_response *r);
/* Whether the profile is installed: not aborted, at least one status, all ok. */
bool euicc_response_ok(const struct euicc_response *r);
/* "not-enough-memory", "status word", "of the card's own"; never NULL. */
const char *pe_status_text(unsigned status);

struct profile_package;
/* "element 8 of 30, usim (identification 8), not-enough-memory" in a: which element of the package failed. p may be NULL. The message is the
 * card's text: it is appended with other than printable ASCII replaced. Never NULL. */
const char *euicc_response_explain(struct arena *a, const struct euicc_response *r, const struct profile_package *p);

#endif
