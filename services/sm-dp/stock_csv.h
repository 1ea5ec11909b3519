/* SPDX-License-Identifier: Apache-2.0 */
/* An operator's batch as CSV: a header of ICCID,IMSI,Ki,OPc in any order, and maybe MSISDN, keys of the
 * security domain and codes; all in hex, wrapped under the operator's
 * transport key. Cells may stand in double quotes; lines end with LF or CRLF; a byte order mark is skipped. Pure, without database and keys. */
#ifndef SMDP_STOCK_CSV_H
#define SMDP_STOCK_CSV_H

#include "common/base/arena.h"
#include "common/sgp02/ids.h"

/* What a secret of the stock is for. Ki and OPc are of MILENAGE, KIC to KIK and ENC to DEK of the operator's security domain (MNO-SD: SCP80, SCP03),
 * the others codes. */
enum stock_use {
	USE_KI,
	USE_OPC,
	USE_KIC,
	USE_KID,
	USE_KIK,
	USE_ENC,
	USE_MAC,
	USE_DEK,
	USE_PIN1,
	USE_PIN2,
	USE_PUK1,
	USE_PUK2,
	USE_ADM1,
	STOCK_USES
};
const char *stock_use_name(enum stock_use use);     /* "ki": as in rows */
const char *stock_use_heading(enum stock_use use);  /* "Ki": as in files */
enum stock_use stock_use_by_name(const char *name); /* STOCK_USES: none */

/* How keys travel in a file. Numbers stand in rows. */
enum stock_wrap {
	STOCK_WRAP_KW,  /* AES key wrap, RFC 3394 */
	STOCK_WRAP_ECB, /* AES-128-ECB: tells no wrong key from a right one */
	STOCK_WRAPS
};
enum { STOCK_KEY_LEN = 16, STOCK_WRAPPED_MAX = STOCK_KEY_LEN + 8, STOCK_WRAP_DEFAULT = STOCK_WRAP_KW };
const char *stock_wrap_name(enum stock_wrap wrap);    /* "kw" */
enum stock_wrap stock_wrap_by_name(const char *name); /* STOCK_WRAPS: none */
size_t stock_wrapped_len(enum stock_wrap wrap);       /* bytes of a wrapped key */

enum csv_column { COL_ICCID, COL_IMSI, COL_MSISDN, COL_KEYS, CSV_COLUMNS = COL_KEYS + STOCK_USES };

struct stock_row {
	size_t line; /* of the file; the header is 1 */
	struct iccid iccid;
	char imsi[IMSI_MAX + 1], msisdn[MSISDN_MAX + 1]; /* msisdn "": none */
	uint8_t wrapped[STOCK_USES][STOCK_WRAPPED_MAX];  /* of those that stock_csv_has */
};

/* What is wrong where and how to mend it, as one sentence; never a key. */
struct csv_fault {
	size_t line;
	unsigned column; /* from 1; 0: the whole line */
	char text[256];
};

struct stock_csv {
	struct bytes rest;
	size_t line;
	enum stock_wrap wrap;
	unsigned n_columns;
	enum csv_column order[CSV_COLUMNS];
	unsigned place[CSV_COLUMNS]; /* from 1; 0: the file has no such column */
};

/* Reads the header; text must live as long as out is used. False: fault is filled. */
bool stock_csv_open(struct bytes text, enum stock_wrap wrap, struct stock_csv *out, struct csv_fault *fault);
/* The next row. CSV_END: there is none; CSV_BAD: fault is filled. */
enum csv_next { CSV_ROW, CSV_END, CSV_BAD };
enum csv_next stock_csv_next(struct stock_csv *csv, struct stock_row *out, struct csv_fault *fault);
bool stock_csv_has(const struct stock_csv *csv, enum stock_use use);
/* Fills fault for a cell that was read: "line 3, column 4 (OPc): ...". */
void stock_csv_blame(const struct stock_csv *csv, size_t line, enum csv_column column, struct csv_fault *fault, const char *fmt,
		     ...) PRINTF(5, 6);

#endif
