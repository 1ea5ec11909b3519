/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "services/operator-gateway/rspctl/rspctl.h"

#define GATEWAY (OPT(GATEWAY) | OPT(TOKEN_FILE) | OPT(CA))
#define SENDING (OPT(VALIDITY) | OPT(WHEN) | OPT(WAIT) | OPT(VIA))
#define ORDERING (OPT(ORDER) | OPT(CERT) | OPT(KEY) | OPT(CA) | OPT(FROM))

/* clang-format off */
static const struct command commands[] = {
	{ "entity import", "DIR", 1, 1, OPT(ADMIN), 0,
	  "puts every DIR/*.json into the registry of partners, replacing what was there", cmd_entity_import },
	{ "entity list", "", 0, 0, OPT(ADMIN), 0, "shows the registry of partners", cmd_entity_list },
	{ "messages", "", 0, 0, OPT(ADMIN), OPT(EID) | OPT(MESSAGE_ID) | OPT(LIMIT) | OPT(XML),
	  "shows the last messages in and out, secrets cut", cmd_messages },
	{ "fault", "[list | POINT pause|kill|drop|off EID]", 0, 3, OPT(ADMIN), 0,
	  "lists or arms fault points (test builds only)", cmd_fault },
	{ "outbox list", "", 0, 0, OPT(ADMIN), OPT(DEAD) | OPT(EID) | OPT(PEER) | OPT(LIMIT), "shows what waits to leave the process",
	  cmd_outbox_list },
	{ "outbox show", "ID", 1, 1, OPT(ADMIN), 0, "shows one row of it, secrets cut", cmd_outbox_show },
	{ "outbox replay", "[ID]", 0, 1, OPT(ADMIN), OPT(PEER) | OPT(ALL), "has dead letters tried again: one, those for a partner, or all",
	  cmd_outbox_replay },
	{ "outbox drop", "ID", 1, 1, OPT(ADMIN), OPT(YES), "deletes a dead letter for good", cmd_outbox_drop },
	{ "peer list", "", 0, 0, OPT(ADMIN), 0, "shows for whom something waits, and who is paused", cmd_peer_list },
	{ "sms", "", 0, 0, OPT(ADMIN), OPT(EID), "at an SM-SR: shows the SMS that wake cards", cmd_sms },
	{ "keys bump", "EID|all BY", 2, 2, OPT(ADMIN), 0,
	  "at an SM-SR: raises the SMS counters of cards, after its database was restored", cmd_keys_bump },
	{ "cards uncertain", "EID|all", 1, 1, OPT(ADMIN), 0,
	  "at an SM-SR: has cards audited at their next session, before anything else is sent to them", cmd_cards_uncertain },
	{ "smsr-change list", "", 0, 0, OPT(ADMIN), OPT(SIDE) | OPT(STAGE) | OPT(EID) | OPT(LIMIT),
	  "at a sm-sr-handover: shows cards that go to another SM-SR, or come from one", cmd_smsr_change_list },
	{ "smsr-change show", "ID", 1, 1, OPT(ADMIN), 0, "at a sm-sr-handover: shows such a change, stage by stage", cmd_smsr_change_show },
	{ "smsr-change resolve", "ID moved|kept", 2, 2, OPT(ADMIN), OPT(YES),
	  "at a sm-sr-handover: a person decides whose a card is whose new SM-SR never said that it has it", cmd_smsr_change_resolve },
	{ "smsr-change skip", "ID", 1, 1, OPT(ADMIN), OPT(YES),
	  "at a sm-sr-handover: leaves out the step that a card which has come will not do", cmd_smsr_change_skip },
	{ "package show", "FILE", 1, 1, 0, OPT(SECRETS) | OPT(WHOLE), "checks and decodes a profile package (DER); calls nobody", cmd_package_show },
	{ "type add", "NAME PACKAGE|--default|--meter [ACTION:QUALIFICATION...]", 1, 2 + RULES_MAX, OPT(ADMIN) | OPT(MNO) | OPT(MEMORY),
	  OPT(KEYS) | OPT(ADDRESS) | OPT(VARIABLES) | OPT(DEFAULT) | OPT(METER) | OPT(PAD),
	  "at an SM-DP: makes a profile type of a package (DER) and the rules (POL2) it begins with", cmd_type_add },
	{ "type show", "NAME", 1, 1, OPT(ADMIN) | OPT(MNO), OPT(SECRETS) | OPT(WHOLE), "at an SM-DP: shows a profile type, its package decoded",
	  cmd_type_show },
	{ "type list", "", 0, 0, OPT(ADMIN), 0, "at an SM-DP: shows profile types", cmd_type_list },
	{ "stock import", "FILE", 1, 1, OPT(ADMIN) | OPT(MNO) | OPT(TYPE), OPT(BATCH) | OPT(WRAP),
	  "at an SM-DP: takes an operator's batch of ICCIDs (CSV) into the stock, all of it or nothing", cmd_stock_import },
	{ "stock make", "BATCH FIRST_ICCID FIRST_IMSI", 3, 3, OPT(ADMIN) | OPT(MNO) | OPT(TYPE) | OPT(QUANTITY), 0,
	  "at an SM-DP: makes a batch of ICCIDs and IMSIs, counted up, with keys of its own", cmd_stock_make },
	{ "stock export", "BATCH", 1, 1, OPT(ADMIN) | OPT(MNO), 0,
	  "at an SM-DP: prints a batch as CSV, its keys under the operator's transport key", cmd_stock_export },
	{ "stock digest", "ICCID", 1, 1, OPT(ADMIN), 0,
	  "at an SM-DP: shows size and SHA-256 of the package that an ICCID has, as its card must have stored it", cmd_stock_digest },
	{ "stock list", "", 0, 0, OPT(ADMIN), OPT(MNO) | OPT(TYPE) | OPT(BATCH) | OPT(STATE) | OPT(EID) | OPT(LIMIT),
	  "at an SM-DP: shows ICCIDs of the stock", cmd_stock_list },
	{ "stock count", "", 0, 0, OPT(ADMIN), 0, "at an SM-DP: shows how many ICCIDs are in which state", cmd_stock_count },
	{ "stock batches", "", 0, 0, OPT(ADMIN), OPT(LIMIT), "at an SM-DP: shows what was imported", cmd_stock_batches },
	{ "stock release", "ICCID", 1, 1, OPT(ADMIN), OPT(YES), "at an SM-DP: makes a quarantined ICCID available again",
	  cmd_stock_release },
	{ "stock deleted", "ICCID", 1, 1, OPT(ADMIN), OPT(YES),
	  "at an SM-DP: an installed profile was deleted, of which the SM-DP was not told", cmd_stock_deleted },
	{ "connectivity update", "EID ICCID FILE", 3, 3, OPT(ADMIN), OPT(VALIDITY),
	  "at an SM-DP: changes a profile's connectivity parameters on its card, by the keys of its ISD-P; FILE has the TLVs in hex",
	  cmd_connectivity_update },
	{ "connectivity list", "", 0, 0, OPT(ADMIN), OPT(EID) | OPT(LIMIT), "at an SM-DP: shows such orders, and what came of them",
	  cmd_connectivity_list },
	{ "keys list", "", 0, 0, OPT(ADMIN), OPT(MNO) | OPT(TYPE) | OPT(EID) | OPT(LIMIT),
	  "at an SM-DP: shows whose ISD-P keys it has, not the keys", cmd_keys_list },
	{ "keys export", "FILE", 1, 1, OPT(ADMIN) | OPT(MNO), OPT(TYPE) | OPT(ALL),
	  "at an SM-DP: writes ISD-P keys that are to be handed over (--all: retained ones, too) into a new file (CSV), under the operator's "
	  "transport key", cmd_keys_export },
	{ "keys exports", "", 0, 0, OPT(ADMIN), OPT(LIMIT), "at an SM-DP: shows which keys went to whom, when, and who confirmed it",
	  cmd_keys_exports },
	{ "keys confirm", "EXPORT", 1, 1, OPT(ADMIN), OPT(YES),
	  "at an SM-DP: the operator has these keys; those that are to be handed over are wiped here", cmd_keys_confirm },
	{ "download list", "", 0, 0, OPT(ADMIN), OPT(STATE) | OPT(EID) | OPT(ICCID) | OPT(MNO) | OPT(LIMIT),
	  "at an SM-DP: shows downloads, the running and the ended ones", cmd_download_list },
	{ "download show", "ID", 1, 1, OPT(ADMIN), 0, "at an SM-DP: shows a download, stage by stage, and what was answered to each call",
	  cmd_download_show },
	{ "token create", "NAME reader|operator", 2, 2, OPT(ADMIN), 0,
	  "makes a northbound token and shows it this once", cmd_token_create },
	{ "token list", "", 0, 0, OPT(ADMIN), 0, "shows the northbound tokens' names and roles", cmd_token_list },
	{ "token delete", "NAME", 1, 1, OPT(ADMIN), 0, "makes a northbound token void at once", cmd_token_delete },
	{ "eis get", "EID", 1, 1, GATEWAY, OPT(OCTETS) | OPT(VIA), "shows a card as its SM-SR knows it", cmd_eis_get },
	{ "eis audit", "EID", 1, 1, GATEWAY, OPT(ICCID) | OPT(MODE) | SENDING,
	  "has the SM-SR ask the card for its profiles", cmd_eis_audit },
	{ "profile enable", "EID ICCID", 2, 2, GATEWAY, OPT(MODE) | SENDING,
	  "has the card change to this profile", cmd_profile_enable },
	{ "profile disable", "EID ICCID", 2, 2, GATEWAY, OPT(MODE) | SENDING,
	  "has the card leave this profile for its fall-back profile", cmd_profile_disable },
	{ "profile delete", "EID ICCID", 2, 2, GATEWAY, OPT(MODE) | SENDING,
	  "has the card delete this profile, for good", cmd_profile_delete },
	{ "download", "[EID]", 0, 1, GATEWAY, OPT(TYPE) | OPT(ICCID) | OPT(ENABLE) | OPT(CSV) | OPT(MODE) | SENDING,
	  "has an SM-DP install a profile on the card, or on those of a list", cmd_download },
	{ "smsr-change start", "EID", 1, 1, GATEWAY | OPT(TO), OPT(DRY_RUN) | OPT(VALIDITY) | OPT(MODE) | OPT(WHEN) | OPT(WAIT),
	  "has the card move to another SM-SR; with --wait shows its stages as they come", cmd_smsr_change_start },
	{ "smsr-change bulk", "FILE", 1, 1, GATEWAY, OPT(TO) | OPT(DRY_RUN) | OPT(PARALLEL) | OPT(VALIDITY) | OPT(MODE) | OPT(WHEN),
	  "has the cards of a list (CSV: EID[,OID of the SM-SR]) move, and reports each as it ends", cmd_smsr_change_bulk },
	{ "profile policy", "EID ICCID [ACTION:QUALIFICATION...]", 2, 2 + RULES_MAX, GATEWAY, SENDING,
	  "replaces the rules (POL2) of a profile, as DISABLE:Not-Allowed; without any all is allowed",
	  cmd_profile_policy },
	{ "profile address", "EID ICCID", 2, 2, GATEWAY, OPT(IMSI) | OPT(MSISDN) | SENDING,
	  "replaces the profile's subscription address", cmd_profile_address },
	{ "operation show", "ID", 1, 1, GATEWAY, OPT(WAIT), "shows how an order stands", cmd_operation_show },
	{ "operation list", "", 0, 0, GATEWAY, OPT(EID) | OPT(STATE) | OPT(LIMIT), "shows the last orders", cmd_operation_list },
	{ "notification list", "", 0, 0, GATEWAY, OPT(EID) | OPT(LIMIT), "shows what SM-SRs and SM-DPs told of their own accord",
	  cmd_notification_list },
	{ "eis properties", "EID KEY=VALUE...", 2, 65, ORDERING, 0,
	  "has the EUM change additional properties of a card", cmd_eis_properties },
	{ "batch create", "", 0, 0, ORDERING | OPT(FILE), 0, "orders a batch of cards from an EUM", cmd_batch_create },
	{ "batch status", "NAME", 1, 1, ORDERING, OPT(WAIT), "shows how far a batch is", cmd_batch_status },
	{ "card load", "", 0, 0, OPT(ADMIN), 0, "at the simulator: reads the batch files that are new", cmd_card_load },
	{ "card list", "", 0, 0, OPT(ADMIN), OPT(LIMIT), "at the simulator: shows its cards", cmd_card_list },
	{ "card show", "EID", 1, 1, OPT(ADMIN), 0, "at the simulator: shows a card and its profiles", cmd_card_show },
	{ "card power", "on|off EID|all", 2, 2, OPT(ADMIN), 0, "at the simulator: gives or takes power", cmd_card_power },
	{ "card hook", "NAME EID|all [TIMES] [ARGUMENT]", 2, 4, OPT(ADMIN), 0,
	  "at the simulator: has a card misbehave, TIMES times (0: until unhook)", cmd_card_hook },
	{ "card unhook", "NAME EID|all", 2, 2, OPT(ADMIN), 0, "at the simulator: ends that", cmd_card_unhook },
	{ "card number", "EID MSISDN", 2, 2, OPT(ADMIN), OPT(ICCID),
	  "at the simulator: the number by which the network calls the enabled profile, or that of --iccid", cmd_card_number },
	{ "card coverage", "EID", 1, 1, OPT(ADMIN), 0, "at the simulator: the card loses its network", cmd_card_coverage },
	{ 0 },
};
/* clang-format on */

int main(int argc, char **argv, char **env)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf help = { 0 };
	struct ctl c = { .arena = a };
	const struct command *command = NULL;
	char error[256];
	const char *const *words = (const char *const *)argv, *const *variables = (const char *const *)env;
	bool asked = false;

	if (command_parse(commands, (unsigned)argc, words, variables, &c, &command, &asked, error) != EXIT_OK)
		return ctl_fail(&c, EXIT_USAGE, "%s", error);
	if (asked) {
		command_help(commands, &help);
		fputs(help.data, stdout);
		return EXIT_OK;
	}
	return command->run(&c);
}
