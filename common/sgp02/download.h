/* SPDX-License-Identifier: Apache-2.0 */
/* A profile download as an SM-DP runs it (SGP.02 3.1.1 to 3.1.5; procedures.md 3.3, 3.4), as a table: which event moves which state
 * where. Pure; the one mover is the sm-dp's download_step. */
#ifndef SGP02_DOWNLOAD_H
#define SGP02_DOWNLOAD_H

#include <stdbool.h>

#include "common/sgp02/stock.h"

/* Numbers stand in rows: new ones are added at the end. In each state but the last three one call to the SM-SR is under way, or is made
 * again later. */
enum download_state {
	DOWNLOAD_GET_EIS,         /* ES3.GetEIS; its answer is checked */
	DOWNLOAD_CLEANUP,         /* ES3.DeleteISDP of what an older download of ours left in state Created (3.1.5) */
	DOWNLOAD_CREATE_ISDP,     /* ES3.CreateISDP */
	DOWNLOAD_KEY_CERTIFICATE, /* ES3.SendData: INSTALL [for personalization] and CERT.DP.ECDSA; answered by a random challenge */
	DOWNLOAD_KEY_REQUEST,     /* ES3.SendData: our ephemeral key, signed; answered by the receipt */
	DOWNLOAD_INSTALL,         /* ES3.SendData, as often as needed: the profile package by SCP03t */
	DOWNLOAD_COMPLETE,        /* ES3.ProfileDownloadCompleted */
	DOWNLOAD_ENABLE,          /* ES3.EnableProfile */
	DOWNLOAD_DELETE,          /* it failed: ES3.DeleteISDP (3.1.4) */
	DOWNLOAD_KEEP,            /* POL1 forbids that: ES3.ProfileDownloadCompleted of what is installed then */
	DOWNLOAD_DELETE_EXPIRED,  /* as DELETE, of a download whose time is over */
	DOWNLOAD_KEEP_EXPIRED,    /* as KEEP, when its caller was told so already */
	DOWNLOAD_DONE,            /* the profile is on the card, and the SM-SR knows it */
	DOWNLOAD_FAILED,
	DOWNLOAD_EXPIRED,
	DOWNLOAD_STATES
};

enum download_event {
	DLEV_DONE,      /* the step is executed, and nothing more of its kind is to be done */
	DLEV_MORE,      /* the same, and another call of its kind follows */
	DLEV_LEFTOVER,  /* the EIS is good, and shows what an older download left */
	DLEV_ENABLE,    /* as DONE, and the profile shall be enabled */
	DLEV_WAIT,      /* not now: the same later */
	DLEV_REFUSED,   /* refused before the card was asked */
	DLEV_BROKEN,    /* failed, and the card may have something of it */
	DLEV_SILENT,    /* nobody knows: EXPIRED, or no answer */
	DLEV_POL1,      /* a deletion that POL1 forbids */
	DLEV_POL1_LATE, /* the same, and the caller was told that its time is over */
	DLEV_DEADLINE,  /* the caller's time is over */
	DLEV_GIVEN_UP,  /* the time for cleaning up is over as well */
	DOWNLOAD_EVENTS
};

/* The next state; DOWNLOAD_STATES: this event cannot happen here (it is logged and changes nothing). */
enum download_state download_next(enum download_state state, enum download_event event);
/* DONE, FAILED, EXPIRED: nothing follows. */
bool download_ended(enum download_state s);
/* DELETE, DELETE_EXPIRED, KEEP_EXPIRED: it goes on behind the caller's deadline. */
bool download_cleans(enum download_state s);
/* What becomes of its ICCID when this event ends it (decisions.md D6). */
enum stock_event download_stock(enum download_state state, enum download_event event);
const char *download_state_name(enum download_state s); /* "create_isdp" */
const char *download_event_name(enum download_event e); /* "leftover" */
/* DOWNLOAD_STATES: there is no such state. */
enum download_state download_state_by_name(const char *name);

#endif
