/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/download.h"

#include <stdint.h>

#include "common/sgp02/names.h"

/* 0 is "cannot happen", so states stand one higher in the table. */
#define TO(state) ((uint8_t)(DOWNLOAD_##state + 1))

/* From the creation of the ISD-P on the card has something: what fails is cleaned up. */
#define ON_CARD(self)                                                                                                        \
	[DLEV_WAIT] = TO(self), [DLEV_REFUSED] = TO(DELETE), [DLEV_BROKEN] = TO(DELETE), [DLEV_SILENT] = TO(DELETE_EXPIRED), \
	[DLEV_DEADLINE] = TO(DELETE_EXPIRED)

static const uint8_t next[DOWNLOAD_STATES][DOWNLOAD_EVENTS] = {
	[DOWNLOAD_GET_EIS] = { [DLEV_DONE] = TO(CREATE_ISDP),
			       [DLEV_LEFTOVER] = TO(CLEANUP),
			       [DLEV_WAIT] = TO(GET_EIS),
			       [DLEV_REFUSED] = TO(FAILED),
			       [DLEV_BROKEN] = TO(FAILED),
			       [DLEV_SILENT] = TO(EXPIRED),
			       [DLEV_DEADLINE] = TO(EXPIRED) },
	/* A leftover that stays is in the way: its memory, and perhaps its ICCID, are missing. */
	[DOWNLOAD_CLEANUP] = { [DLEV_DONE] = TO(CREATE_ISDP),
			       [DLEV_MORE] = TO(CLEANUP),
			       [DLEV_WAIT] = TO(CLEANUP),
			       [DLEV_REFUSED] = TO(FAILED),
			       [DLEV_BROKEN] = TO(FAILED),
			       [DLEV_POL1] = TO(FAILED),
			       [DLEV_SILENT] = TO(EXPIRED),
			       [DLEV_DEADLINE] = TO(EXPIRED) },
	[DOWNLOAD_CREATE_ISDP] = { [DLEV_DONE] = TO(KEY_CERTIFICATE),
				   [DLEV_WAIT] = TO(CREATE_ISDP),
				   [DLEV_REFUSED] = TO(FAILED), /* nothing was created */
				   [DLEV_BROKEN] = TO(DELETE),
				   [DLEV_SILENT] = TO(DELETE_EXPIRED),
				   [DLEV_DEADLINE] = TO(DELETE_EXPIRED) },
	[DOWNLOAD_KEY_CERTIFICATE] = { [DLEV_DONE] = TO(KEY_REQUEST), ON_CARD(KEY_CERTIFICATE) },
	[DOWNLOAD_KEY_REQUEST] = { [DLEV_DONE] = TO(INSTALL), ON_CARD(KEY_REQUEST) },
	[DOWNLOAD_INSTALL] = { [DLEV_DONE] = TO(COMPLETE), [DLEV_MORE] = TO(INSTALL), ON_CARD(INSTALL) },
	[DOWNLOAD_COMPLETE] = { [DLEV_DONE] = TO(DONE), [DLEV_ENABLE] = TO(ENABLE), ON_CARD(COMPLETE) },
	/* Whatever comes of it: the profile is there, and a warning tells of the rest (procedures.md 3.3 D). */
	[DOWNLOAD_ENABLE] = { [DLEV_DONE] = TO(DONE),
			      [DLEV_WAIT] = TO(ENABLE),
			      [DLEV_REFUSED] = TO(DONE),
			      [DLEV_BROKEN] = TO(DONE),
			      [DLEV_SILENT] = TO(DONE),
			      [DLEV_DEADLINE] = TO(DONE) },
	[DOWNLOAD_DELETE] = { [DLEV_DONE] = TO(FAILED),
			      [DLEV_WAIT] = TO(DELETE),
			      [DLEV_REFUSED] = TO(FAILED),
			      [DLEV_BROKEN] = TO(FAILED),
			      [DLEV_SILENT] = TO(DELETE),
			      [DLEV_POL1] = TO(KEEP),
			      [DLEV_DEADLINE] = TO(DELETE_EXPIRED) },
	[DOWNLOAD_DELETE_EXPIRED] = { [DLEV_DONE] = TO(EXPIRED),
				      [DLEV_WAIT] = TO(DELETE_EXPIRED),
				      [DLEV_REFUSED] = TO(EXPIRED),
				      [DLEV_BROKEN] = TO(EXPIRED),
				      [DLEV_SILENT] = TO(DELETE_EXPIRED),
				      [DLEV_POL1] = TO(KEEP),
				      [DLEV_POL1_LATE] = TO(KEEP_EXPIRED),
				      [DLEV_DEADLINE] = TO(DELETE_EXPIRED),
				      [DLEV_GIVEN_UP] = TO(EXPIRED) },
	/* A second deletion would be refused as the first was. */
	[DOWNLOAD_KEEP] = { [DLEV_DONE] = TO(DONE),
			    [DLEV_ENABLE] = TO(ENABLE),
			    [DLEV_WAIT] = TO(KEEP),
			    [DLEV_REFUSED] = TO(FAILED),
			    [DLEV_BROKEN] = TO(FAILED),
			    [DLEV_SILENT] = TO(EXPIRED),
			    [DLEV_DEADLINE] = TO(KEEP_EXPIRED) },
	[DOWNLOAD_KEEP_EXPIRED] = { [DLEV_DONE] = TO(EXPIRED),
				    [DLEV_ENABLE] = TO(EXPIRED),
				    [DLEV_WAIT] = TO(KEEP_EXPIRED),
				    [DLEV_REFUSED] = TO(EXPIRED),
				    [DLEV_BROKEN] = TO(EXPIRED),
				    [DLEV_SILENT] = TO(EXPIRED),
				    [DLEV_DEADLINE] = TO(KEEP_EXPIRED),
				    [DLEV_GIVEN_UP] = TO(EXPIRED) },
};

static const char *const state_names[DOWNLOAD_STATES] = {
	"get_eis", "cleanup", "create_isdp",    "key_certificate", "key_request", "install", "complete", "enable",
	"delete",  "keep",    "delete_expired", "keep_expired",    "done",        "failed",  "expired",
};
static const char *const event_names[DOWNLOAD_EVENTS] = {
	"done", "more", "leftover", "enable", "wait", "refused", "broken", "silent", "pol1", "pol1_late", "deadline", "given_up",
};

enum download_state download_next(enum download_state state, enum download_event event)
{
	uint8_t to;

	if (state >= DOWNLOAD_STATES || event >= DOWNLOAD_EVENTS)
		return DOWNLOAD_STATES;
	to = next[state][event];
	return to ? (enum download_state)(to - 1) : DOWNLOAD_STATES;
}

bool download_ended(enum download_state s)
{
	return s == DOWNLOAD_DONE || s == DOWNLOAD_FAILED || s == DOWNLOAD_EXPIRED;
}

bool download_cleans(enum download_state s)
{
	return s == DOWNLOAD_DELETE || s == DOWNLOAD_DELETE_EXPIRED || s == DOWNLOAD_KEEP_EXPIRED;
}

enum stock_event download_stock(enum download_state state, enum download_event event)
{
	bool done = event == DLEV_DONE || event == DLEV_ENABLE;

	if (state == DOWNLOAD_GET_EIS || state == DOWNLOAD_CLEANUP || (state == DOWNLOAD_CREATE_ISDP && event == DLEV_REFUSED))
		return STEV_CLEANED; /* nothing was created */
	if (state == DOWNLOAD_ENABLE)
		return STEV_INSTALLED;
	if (done && (state == DOWNLOAD_DELETE || state == DOWNLOAD_DELETE_EXPIRED))
		return STEV_CLEANED;
	if (done && (state == DOWNLOAD_COMPLETE || state == DOWNLOAD_KEEP || state == DOWNLOAD_KEEP_EXPIRED))
		return STEV_INSTALLED;
	return STEV_UNSURE;
}

const char *download_state_name(enum download_state s)
{
	return s < DOWNLOAD_STATES ? state_names[s] : "?";
}

const char *download_event_name(enum download_event e)
{
	return e < DOWNLOAD_EVENTS ? event_names[e] : "?";
}

enum download_state download_state_by_name(const char *name)
{
	return (enum download_state)name_index(state_names, DOWNLOAD_STATES, name);
}
