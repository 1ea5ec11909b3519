/* SPDX-License-Identifier: Apache-2.0 */
/* Files as profile elements create them: by template (mf, usim, ...) and by genericFileManagement. For the card and for checks. */
#ifndef CARD_PROFILE_FILE_H
#define CARD_PROFILE_FILE_H

#include "common/card/profile_package.h"

enum { PROFILE_FILE_SIZE_MAX = 64 * 1024, PROFILE_PATH_MAX = 8 };

/* Fcp; data NULL: absent, that is as in the template, or the default (lcsi 05, special 00, details 01). */
struct profile_fcp {
	struct bytes descriptor; /* 4121: transparent, 4221xxxx: linear fixed with records of xxxx bytes, 7821: DF */
	struct bytes file_id;    /* 2 bytes; of an ADF: temporary, for paths */
	struct bytes df_name;    /* the AID of an ADF */
	struct bytes lcsi, security, size, pin_status, short_id;
	struct bytes link;                                                         /* linkPath */
	struct bytes special, fill_pattern, repeat_pattern, maximum_size, details; /* proprietaryEFInfo */
};

struct profile_fill {
	size_t at; /* absolute */
	struct bytes data;
};
struct profile_file {
	const char *name;               /* "ef-imsi"; NULL: made by genericFileManagement */
	uint8_t path[PROFILE_PATH_MAX]; /* genericFileManagement: the directory it stands in, file IDs of 2 bytes */
	size_t path_len;
	bool do_not_create;
	bool has_fcp; /* false: all as in the template (or: continues to fill the file at path) */
	struct profile_fcp fcp;
	struct profile_fill *fills;
	size_t n_fills;
	size_t end; /* behind the last byte filled */
};

/* All files of an element in its order; elements without files have none. Fills are made absolute (fillFileOffset skips from where the last one
 * ended). Lists live in a. False: *out_fault. */
bool profile_files_decode(struct arena *a, const struct profile_element *e, struct profile_file **out, size_t *out_n,
			  struct profile_fault *out_fault);
/* One file of a template element by its name; false: none or *out_fault, which is cleared before. */
bool profile_file_find(struct arena *a, const struct profile_element *e, const char *name, struct profile_file *out,
		       struct profile_fault *out_fault);

/* Size in bytes: efFileSize; else maximumFileSize, else what the fills need. 0 for directories and links. */
size_t profile_file_size(const struct profile_file *f);
/* Appends the content as it stands after installation: pattern or FF, and the fills over it. False: larger than PROFILE_FILE_SIZE_MAX or filled
 * beyond its end. */
bool profile_file_content(struct buf *out, const struct profile_file *f);
/* A file that genericFileManagement describes as a DF (descriptor 78). */
bool profile_file_is_directory(const struct profile_file *f);

/* EF.ICCID (ETSI TS 102 221 13.2): digits swapped in each byte, F behind them. */
void profile_iccid_bytes(const struct iccid *iccid, uint8_t out_header[10], uint8_t out_ef[10]);
/* EF.IMSI (3GPP TS 31.102 4.2.2), 9 bytes; false: not 6 to 15 digits. */
bool profile_imsi_bytes(const char *imsi, uint8_t out[9]);
/* The digits of an EF.IMSI; false: none. */
bool profile_imsi_text(struct bytes ef, char out[IMSI_MAX + 1]);

#endif
