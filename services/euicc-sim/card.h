/* SPDX-License-Identifier: Apache-2.0 */
/* One simulated eUICC: what it holds, and every decision a card takes (procedures.md 4.10). Pure but for its state record: no sockets, no
 * clock. card_*.c decide; loop, sessions and SMS (sim.h) carry. */
#ifndef EUICC_SIM_CARD_H
#define EUICC_SIM_CARD_H

#include "common/card/apdu.h"
#include "common/card/card_keys.h"
#include "common/card/notification.h"
#include "common/card/scp80.h"
#include "common/card/tlv.h"
#include "common/crypto/cert.h"
#include "common/sgp02/ids.h"

enum { CARD_PROFILES = 16, CARD_KEYS = 16, CARD_COUNTERS = 8, CARD_KEY_LEN = 16, CARD_NONE = 255, CARD_ERROR = 256 };
enum { CARD_CONNECTIVITY = 240, CARD_URI = 95, CARD_NUMBER = 20 };
enum pol1_rule { POL1_NO_DISABLE = 1, POL1_NO_DELETE = 2, POL1_DELETE_AFTER_DISABLE = 4 };
/* "disable-not-allowed", "delete-not-allowed", "delete-after-disable"; 0: none of these. */
uint8_t pol1_rule_parse(const char *name);

/* What an ISD-P has from its key set on. */
struct card_domain {
	struct card_keys keys;      /* SCP03 */
	uint32_t sequence;          /* of the newest session with them */
	bool begun;                 /* segments were taken: without a profile by now (state 0F) it can only be deleted */
	bool changed;               /* it is not in its file as it is here */
	uint8_t digest[SHA256_LEN]; /* over all elements, one behind the other; zeros: no profile */
	uint32_t n_elements;
	uint64_t bytes;         /* of all elements */
	struct secret elements; /* until they are in the file */
	uint8_t connectivity[CARD_CONNECTIVITY], n_connectivity; /* of STORE DATA 3A07 */
};

struct card_profile {
	struct aid aid;              /* len 0: free place */
	struct iccid iccid;          /* "" while it is being made */
	char imsi[IMSI_MAX + 1], msisdn[MSISDN_MAX + 1];
	uint8_t state;               /* enum isdp_state */
	uint8_t pol1;
	bool fallback;
	int64_t memory;              /* bytes granted */
	bool grows;                  /* no quota was said: what is stored is granted as it comes */
	struct card_domain *domain;  /* NULL: it has no keys of its own */
	bool refuse_attach;          /* hook: the network does not take this profile */
};

struct card_key {
	uint8_t version, index, type; /* version 0: free place; 88 AES, 85 PSK-TLS */
	uint8_t value[CARD_KEY_LEN];
};

/* Where UpdateSMSRAddressingParameters sent it. */
struct card_home {
	uint32_t address;             /* IPv4 in host order; 0: nowhere yet */
	uint16_t port;
	uint8_t kvn;                  /* of the PSK; 0: any */
	uint8_t scp80;                /* of the key set that secures its own SMS; 0: the lowest */
	char uri[CARD_URI + 1];       /* "": not said */
	char number[CARD_NUMBER + 1]; /* where its own SMS go, digits; "": not said */
};

/* What a card does next by itself. */
enum card_phase {
	CARD_OFF,        /* no power */
	CARD_ATTACHING,  /* REFRESH done, looks for a network with its enabled profile */
	CARD_IDLE,       /* attached */
};

struct card_channel;

struct card {
	struct eid eid;
	uint8_t imei[8];
	struct card_profile profiles[CARD_PROFILES];
	struct card_key keys[CARD_KEYS];
	struct { uint8_t version; uint64_t last; } counters[CARD_COUNTERS]; /* SCP80: the highest one taken, by KVN */
	int64_t memory, remaining_memory;
	uint8_t ecasd_key[32], ci_point[P256_POINT];
	/* Quirks of its make; given at import, by its place in the batch. */
	bool fragment_512, lower_case_headers, agent_word_old, aid_tag_old, cbc_only;
	bool http;                   /* false: SMS only */
	/* Life. */
	bool powered, attached_once; /* attached_once: the first attach was confirmed */
	enum card_phase phase;
	uint16_t seq;                /* of the newest notification */
	uint8_t pending;             /* type of the notification that is not confirmed yet; 0: none */
	uint8_t due;                 /* type of the notification that the next attach leaves pending; 0: none */
	bool given_up;               /* the pending one was sent often enough: silent until the next power-on */
	unsigned tries;              /* how often it was sent since it arose; who sends counts */
	uint8_t before;              /* index of the profile that was enabled before a switch that is not confirmed; CARD_NONE: no switch */
	uint8_t pinned;              /* index of the profile that fall-back disabled though POL1 forbids it: only it may be enabled */
	uint8_t listed;              /* GET STATUS: where its continuation goes on; 0: nothing to continue */
	uint64_t switches;           /* how often a profile was enabled: tests count that nothing happened twice */
	uint64_t commands;           /* scripts executed; who runs them counts */
	uint64_t enables, disables, deletes, confirmations; /* commands answered with 9000, by kind */
	uint64_t creates, keysets, installs; /* ISD-Ps made; key sets agreed on; packages taken to their end */
	struct card_home home;
	uint16_t unused_scp80, unused_scp81; /* bit per key version & 15: a set that came by command and nothing was secured with yet */
	uint64_t isdr_keysets, put_keys, finalises; /* key sets of the ISD-R agreed on; of SCP81 put; handovers made final */
	struct card_channel *channel; /* what a reset ends (card_internal.h); NULL: nothing */
	uint16_t domains;             /* bit per profile: its ISD-P has a file, of this version */
	uint32_t domain_versions[CARD_PROFILES];
};

/* What a test makes go wrong (hook.h), where the card meets it. */
enum card_fault {
	CARD_FAULT_NO_ROOM,   /* CreateISDP finds no memory */
	CARD_FAULT_CHALLENGE, /* the answer to 3A01 is cut off */
	CARD_FAULT_RECEIPT,
	CARD_FAULT_MAC,       /* a segment comes altered */
	CARD_FAULT_CRYPTOGRAM, /* its own, in the answer to INITIALIZE UPDATE */
	CARD_FAULT_RMAC,      /* its own, of the answer to the package */
	CARD_FAULT_FULL,      /* an element finds no memory */
	CARD_FAULT_ELEMENT,   /* an element cannot be stored */
};
struct card_faults {
	bool (*strikes)(void *ctx, enum card_fault fault, size_t element); /* element: its number in the package, from 1; else 0 */
	void *ctx;
};

/* What executing a command makes due: set, never cleared, so that one struct serves a whole script. */
struct card_effects {
	bool refresh;                /* the UICC resets after this session: card_refresh */
	bool changed;                /* the state must be saved before anybody hears of it */
	const struct card_faults *faults; /* given; NULL: nothing goes wrong */
	uint8_t secured;             /* given: version of the ISD-R's key set that secures the command; 0: not said */
	const char *why;             /* of the newest refusal, for the log; static */
};

/* Executes one C-APDU addressed to the ISD-R: procedures.md 4.10. Data of the answer is appended to out; the status word is returned. */
uint16_t card_execute(struct card *c, struct bytes capdu, struct buf *out, struct card_effects *effects);
/* Executes one command addressed to this ISD-P, which the card has: SCP03t (84, 85, 86), plain or in a 22, or a C-APDU under SCP03
 * in a 22 or A2. Appends the answer: a TLV of SCP03t, or 23. False: the script ends with it. */
bool card_isdp_execute(struct card *c, const struct aid *isdp, const struct tlv *command, struct buf *out,
		       struct card_effects *effects);
bool card_isdp_knows_tag(uint32_t tag);
/* Bytes stored of the quota or of what was granted. */
int64_t card_profile_stored(const struct card *c, const struct card_profile *p);
/* Frees what a card has on the heap; the card itself is then wiped. */
void card_free(struct card *c);
/* The index of the enabled profile, CARD_NONE: none. */
uint8_t card_enabled(const struct card *c);
struct card_profile *card_profile_of(struct card *c, const struct aid *aid);
const struct card_key *card_key_of(const struct card *c, uint8_t version, uint8_t index);
/* It speaks HTTPS, and the ISD-R has a key for that: an SM-SR that puts none has it by SMS alone. */
bool card_by_https(const struct card *c);
/* Something was secured with this key set: nothing replaces it any more. */
void card_key_used(struct card *c, uint8_t version);

/* The session ended in which an ISD-P was named for a key agreement: it is so no more. One with the ISD-R goes on. */
void card_session_over(struct card *c);

/* Power: on, it attaches, and what it gave up to notify is tried again; off, nothing is lost. */
void card_power(struct card *c, bool on);
/* The reset after a session that switched: phase ATTACHING. */
void card_refresh(struct card *c);
/* The network took or refused the enabled profile. True: it is attached; first attach and a switch leave a notification pending (4.6 types),
 * else the card has rolled back or fallen back and must attach again: the caller tries anew. */
bool card_attached(struct card *c, bool network_takes_it);
/* The pending notification could not be delivered or was not confirmed after all tries: an unconfirmed switch is rolled back (true: it must attach
 * again), anything else is only given up until the next power-on. */
bool card_unconfirmed(struct card *c);
/* Loss of coverage (hook): falls back to the fall-back holder unless that is enabled. True: it must attach again. */
bool card_coverage_lost(struct card *c);
/* The pending notification as E1; false: none. */
bool card_notification(const struct card *c, struct notification *out);

/* An SMS's packet (SCP80): checks keys, CC and counter as a card does. True: data is for the ISD-R's trigger handling or a script; false: the card
 * stays silent (why for the log). *out_por: packet to be sent back, len 0: none wanted. The counter is raised in c. */
bool card_sms(struct card *c, struct arena *a, struct bytes packet, struct scp80_command *out, struct buf *out_por, const char **out_why);

/* The security domain that a command's TAR names: the ISD-R (by the TAR of its admin agent, too) or an ISD-P that there is. False: none. Any of
 * them by the ISD-R's keys. */
bool card_sms_target(struct card *c, const struct scp80_command *command, struct aid *out);
/* The packet that answers a script that came by SMS: the PoR with the script's answer, instead of the bare one of card_sms. False:
 * none is wanted, or it cannot be built. */
bool card_sms_answer(const struct card *c, const struct scp80_command *command, struct bytes answer, struct buf *out_por);
/* The packet that carries an E1 to the SM-SR: CC, no ciphering, counter zero (procedures.md 3.11). False: it has no SCP80 keys. */
bool card_sms_notification(const struct card *c, struct bytes e1, struct buf *out);

/* card_state.c: one file per batch, a fixed-size record per card in two alternating copies with a checksum, so that a kill amid a write
 * leaves the older one. */
struct card_file;
/* Reads the EUM's batch file (JSON lines) and the state file beside it (its name and .state), making it when missing, and holds it
 * against other processes. Cards that had power start with a reset: phase ATTACHING. NULL: error says what, where. */
struct card_file *card_file_open(const char *batch_path, char error[CARD_ERROR]);
void card_file_close(struct card_file *f);
size_t card_file_count(const struct card_file *f);
struct card *card_file_card(struct card_file *f, size_t i);
/* Writes the card's record. False: errno. */
bool card_file_save(struct card_file *f, const struct card *c);

#endif
