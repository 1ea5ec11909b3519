/* SPDX-License-Identifier: Apache-2.0 */
/* rspctl: the operator's command line. What its files share. */
#ifndef RSPCTL_RSPCTL_H
#define RSPCTL_RSPCTL_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/msg/messages.h"
#include "services/operator-gateway/json.h"

/* Exit codes: docs/rspctl.md and --help say the same. */
enum exit_code { EXIT_OK, EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_NOT_FOUND, EXIT_INTERNAL };

enum option {
#define OPTION(id, name, value, env, text) OPT_##id,
#include "services/operator-gateway/rspctl/options.def"
#undef OPTION
	OPT_COUNT
};

struct ctl {
	const char *option[OPT_COUNT]; /* NULL: not given, also not by the environment; flags: "yes" */
	const char *const *args;       /* behind the command's words */
	unsigned n_args;
	bool json;
	struct arena *arena;
};

struct command {
	const char *words;   /* "entity import" */
	const char *args;    /* "DIR", for --help */
	unsigned min, max;   /* how many arguments */
	uint64_t needs, may; /* enum option bits: must be given, may be given besides */
	const char *help;
	int (*run)(struct ctl *c);
};
#define OPT(id) (UINT64_C(1) << OPT_##id)

/* "eid" of --eid. */
const char *option_word(enum option o);
/* Fills *out_command and c from the command line; the environment fills options that are not given. EXIT_OK, or EXIT_USAGE when
 * error (256 bytes) says what to mend. *out_help: asked for. Pure. */
int command_parse(const struct command *commands, unsigned argc, const char *const *argv, const char *const *env, struct ctl *c,
		  const struct command **out_command, bool *out_help, char error[256]);
void command_help(const struct command *commands, struct buf *out);

/* output.c. */
/* Prints "rspctl: ..." to stderr, or with --json {"error":{"code","message"}} to stdout; its value is code. */
int ctl_fail(const struct ctl *c, enum exit_code code, const char *fmt, ...) PRINTF(3, 4);
/* The same for an HTTP answer that is not 2xx: says the other side's error, chooses the code. */
int ctl_http_fail(const struct ctl *c, const char *what, unsigned status, struct bytes body);
/* The code of a function execution status FAILED or EXPIRED; says it. */
int ctl_status_fail(const struct ctl *c, const char *function, const struct execution_status *status);
void ctl_print_json(const json_t *j);
/* A table in columns: cells row by row, the first row is the head. */
void ctl_print_table(const char *const *cells, unsigned columns, unsigned rows);
/* Text of a member for a table: strings, numbers, booleans; "-" when absent. */
const char *ctl_cell(struct arena *a, const json_t *o, const char *name);
/* xml.c: one element per line, children indented by two blanks; text is left as it is. What is not XML comes out as it went in. */
void xml_indent(struct buf *out, const char *text, size_t n);
/* Percent-encodes a query value or path part. */
void url_escape(struct buf *out, const char *text);

/* admin.c: one request on the admin socket. EXIT_OK with status and body (in the arena) filled, or said and coded. */
int admin_call(struct ctl *c, const char *method, const char *path, const json_t *body, unsigned *out_status,
	       struct bytes *out_body);
/* The same; wants 2xx and JSON. */
int admin_json(struct ctl *c, const char *method, const char *path, const json_t *body, json_t **out);
/* A whole file into the arena; said and coded when it cannot be read or has more than max bytes. */
int file_read(struct ctl *c, const char *path, size_t max, struct bytes *out);
/* POSTs a file as it is; wants 2xx and JSON. */
int admin_file(struct ctl *c, const char *path, const char *content_type, const char *file, json_t **out);

/* gateway.c: one request at --gateway, body NULL or JSON, whatever the answer is or whether there is one; EXIT_OK, or said: it could not be
 * made. */
struct http_answer;
int gateway_call(struct ctl *c, const char *method, const char *path, const json_t *body, struct http_answer *out);
/* The same; wants 2xx and JSON. */
int gateway_json(struct ctl *c, const char *method, const char *path, const json_t *body, json_t **out);

/* process.c. Prints a list of objects: --json as it is, else the named members as columns. */
int ctl_print_list(struct ctl *c, json_t *list, const char *const *names, const char *const *heads, unsigned columns);
/* GETs such a list from the admin socket and prints it. */
int ctl_list(struct ctl *c, const char *path, const char *const *names, const char *const *heads, unsigned columns);
/* The same with those options (OPT bits) that are given as the path's query, each under its own name; --limit among them is looked at. */
int ctl_list_by(struct ctl *c, const char *path, uint64_t by, const char *const *names, const char *const *heads, unsigned columns);
/* Who runs this, for records: keys.c. */
const char *ctl_user(struct ctl *c);
/* Adds a query parameter; value NULL: nothing. */
void ctl_query(struct buf *path, const char *name, const char *value);

/* operation.c. A number of at most six digits. */
bool number_parse(const char *text, unsigned *out);
/* The body of an order from the options. EXIT_OK, or said. Calls nobody. */
int order_options(struct ctl *c, json_t **out_body);
/* The same for a download, of which: an ICCID, or a profile type; NULL: what --iccid and --type say. */
int download_options(struct ctl *c, const char *which, json_t **out_body);
/* The same for profile policy (rules: ACTION:QUALIFICATION) and profile address. */
enum { RULES_MAX = 8 };
int policy_options(struct ctl *c, const char *const *rules, unsigned n_rules, json_t **out_body);
int address_options(struct ctl *c, json_t **out_body);
/* The exit code of an operation's JSON as GET /v1/operations/{id} gives it; what is no success is said. */
int operation_code(struct ctl *c, const json_t *operation);

/* operation_command.c. Places an order (options: its body, taken over) and does what --wait says. */
int order_place(struct ctl *c, const char *method, const char *path, json_t *options);
/* The operation, when it has ended or wait_s are over. */
int operation_fetch(struct ctl *c, const char *id, unsigned wait_s, json_t **out);

/* download_list.c. One operation for each line of --csv, and a report. */
int download_list(struct ctl *c);
/* smsr_change.c. The body of an order; to NULL: what --to says. EXIT_OK, or said. */
int smsr_change_options(struct ctl *c, const char *to, json_t **out_body);

/* soap.c: calls fn at --order; in, *out_response are the structs of its tables. EXIT_OK only with an executed answer. */
int soap_call(struct ctl *c, const struct function *fn, const void *in, const void **out_response);

/* entity_file.c. One registry file as the body of POST /admin/entities; NULL: error says file and field. Reads files, calls nobody. */
json_t *entity_read(struct arena *a, const char *file, char error[512]);
/* order.c. False: error says which field and what it should be. Everything lives in a. */
bool order_parse(struct arena *a, const json_t *order, struct eum_create_batch_rq *out, char error[256]);

/* The commands. */
int cmd_entity_import(struct ctl *c);
int cmd_entity_list(struct ctl *c);
int cmd_messages(struct ctl *c);
int cmd_fault(struct ctl *c);
int cmd_outbox_list(struct ctl *c);
int cmd_outbox_show(struct ctl *c);
int cmd_outbox_replay(struct ctl *c);
int cmd_outbox_drop(struct ctl *c);
int cmd_peer_list(struct ctl *c);
int cmd_token_create(struct ctl *c);
int cmd_token_list(struct ctl *c);
int cmd_token_delete(struct ctl *c);
int cmd_profile_enable(struct ctl *c);
int cmd_profile_disable(struct ctl *c);
int cmd_profile_delete(struct ctl *c);
int cmd_profile_policy(struct ctl *c);
int cmd_profile_address(struct ctl *c);
int cmd_download(struct ctl *c);
int cmd_eis_audit(struct ctl *c);
int cmd_operation_show(struct ctl *c);
int cmd_operation_list(struct ctl *c);
int cmd_notification_list(struct ctl *c);
int cmd_card_list(struct ctl *c);
int cmd_card_show(struct ctl *c);
int cmd_card_load(struct ctl *c);
int cmd_card_power(struct ctl *c);
int cmd_card_hook(struct ctl *c);
int cmd_card_unhook(struct ctl *c);
int cmd_card_coverage(struct ctl *c);
int cmd_card_number(struct ctl *c);
int cmd_sms(struct ctl *c);
int cmd_keys_bump(struct ctl *c);
int cmd_cards_uncertain(struct ctl *c);
int cmd_eis_get(struct ctl *c);
int cmd_eis_properties(struct ctl *c);
int cmd_batch_create(struct ctl *c);
int cmd_batch_status(struct ctl *c);
int cmd_type_add(struct ctl *c);
int cmd_type_list(struct ctl *c);
int cmd_type_show(struct ctl *c);
int cmd_package_show(struct ctl *c);
int cmd_stock_import(struct ctl *c);
int cmd_stock_list(struct ctl *c);
int cmd_stock_count(struct ctl *c);
int cmd_stock_batches(struct ctl *c);
int cmd_stock_make(struct ctl *c);
int cmd_stock_export(struct ctl *c);
int cmd_stock_digest(struct ctl *c);
int cmd_stock_release(struct ctl *c);
int cmd_stock_deleted(struct ctl *c);
int cmd_connectivity_update(struct ctl *c);
int cmd_connectivity_list(struct ctl *c);
int cmd_keys_list(struct ctl *c);
int cmd_keys_export(struct ctl *c);
int cmd_keys_exports(struct ctl *c);
int cmd_keys_confirm(struct ctl *c);
int cmd_smsr_change_list(struct ctl *c);
int cmd_smsr_change_show(struct ctl *c);
int cmd_smsr_change_resolve(struct ctl *c);
int cmd_smsr_change_skip(struct ctl *c);
int cmd_download_list(struct ctl *c);
int cmd_download_show(struct ctl *c);
int cmd_smsr_change_start(struct ctl *c);
int cmd_smsr_change_bulk(struct ctl *c);

#endif
