/* SPDX-License-Identifier: Apache-2.0 */
/* An SM-DP's stock of ICCIDs (decisions.md D6): which event moves which state where, which card may get what, and how ranges are counted.
 * Pure; the one mover is the sm-dp's stock_move. */
#ifndef SGP02_STOCK_H
#define SGP02_STOCK_H

#include "common/sgp02/ids.h"

/* Numbers stand in rows: new ones are added at the end. */
enum stock_state {
	STOCK_AVAILABLE,
	STOCK_RESERVED, /* for the card of a download that runs */
	STOCK_INSTALLED,
	STOCK_QUARANTINED, /* a person decides */
	STOCK_STATES
};

enum stock_event {
	STEV_RESERVED,  /* a download took it for its card */
	STEV_SENT,      /* the first segment that may hold its secrets is about to leave; committed before it does */
	STEV_INSTALLED, /* the whole package is on the card and ProfileDownloadCompleted was executed */
	STEV_CLEANED, /* the download failed and the card has no such ISD-P: DeleteISDP answered 9000 or 6A88, or an audit shows it */
	STEV_UNSURE,   /* the download failed and nobody knows that */
	STEV_DELETED,  /* the profile was deleted, perhaps before its download heard that it is complete */
	STEV_RELEASED, /* a person says that it may be used again */
	STOCK_EVENTS
};

/* The next state; sent: STEV_SENT happened once, ever. STOCK_STATES: this event cannot happen here. */
enum stock_state stock_next(enum stock_state state, bool sent, enum stock_event event);
/* What ever left for a card is given to that card again or to none. bound: the card of its last reservation, NULL: none. */
bool stock_serves(bool sent, const struct eid *bound, const struct eid *eid);
const char *stock_state_name(enum stock_state s); /* "available" */
const char *stock_event_name(enum stock_event e); /* "sent" */
/* STOCK_STATES: there is no such state. */
enum stock_state stock_state_by_name(const char *name);

/* Parses an ICCID for the stock: digits alone, without padding, whose Luhn digit holds. False: *out_why (static text) says what is wrong. */
bool stock_iccid_parse(const char *text, struct iccid *out, const char **out_why);
/* The ICCID number index of a range, counted from first without its Luhn digit, which is made anew. False: the count would overflow into a
 * prefix of other digits than first's first six (89, country, issuer). */
bool stock_iccid_at(const struct iccid *first, uint64_t index, struct iccid *out);
/* The same for plain digits (IMSI, MSISDN): of the same length as first, which has at most 15, and with its first five. */
bool stock_number_at(const char *first, uint64_t index, char out[IMSI_MAX + 1]);

#endif
