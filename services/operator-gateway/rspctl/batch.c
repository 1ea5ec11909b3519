/* SPDX-License-Identifier: Apache-2.0 */
/* Orders at an EUM: batches of cards, additional properties of one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "services/operator-gateway/rspctl/rspctl.h"

static const char *new_fci(struct ctl *c)
{
	char uuid[UUID_TEXT];

	uuid_new(uuid);
	return arena_printf(c->arena, "%s.1", uuid);
}

int cmd_batch_create(struct ctl *c)
{
	const char *file = c->option[OPT_FILE];
	json_error_t fault;
	CLEANUP(json_freep) json_t *order = json_load_file(file, JSON_REJECT_DUPLICATES, &fault);
	CLEANUP(json_freep) json_t *done = NULL;
	const struct eum_create_batch_rs *rs;
	struct eum_create_batch_rq rq;
	const void *response;
	char error[256];
	int code;

	if (!order)
		return ctl_fail(c, EXIT_USAGE, "%s: line %d: %s", file, fault.line, fault.text);
	if (!order_parse(c->arena, order, &rq, error))
		return ctl_fail(c, EXIT_USAGE, "%s: %s", file, error);
	if (!rq.base.fci)
		rq.base.fci = new_fci(c);
	code = soap_call(c, function_by_id(FN_EUM_CreateBatch), &rq, &response);
	if (code != EXIT_OK)
		return code;
	rs = response;
	if (!rs->batch)
		return ctl_fail(c, EXIT_INTERNAL, "EUM-CreateBatch: the answer names no batch");
	done = json_pack("{s:s, s:s, s:s}", "batch", rs->batch, "name", rq.name, "fci", rq.base.fci);
	if (c->json)
		ctl_print_json(done);
	else
		printf("batch %s (%s): %lld cards ordered\n", rq.name, rs->batch, (long long)rq.quantity);
	return EXIT_OK;
}

static void print_batch(const struct ctl *c, const struct eum_batch_info *b)
{
	CLEANUP(json_freep) json_t *j = NULL;

	if (!c->json) {
		printf("%s (%s): %lld ordered, %lld made, %lld submitted, %lld registered, %lld refused\n", b->name, b->batch,
		       (long long)b->quantity, (long long)b->made, (long long)b->submitted, (long long)b->registered,
		       (long long)b->refused);
		if (b->file)
			printf("batch file for the simulator, at the EUM: %s\n", b->file);
		return;
	}
	j = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s?}", "batch", b->batch, "name", b->name, "quantity",
		      (json_int_t)b->quantity, "made", (json_int_t)b->made, "submitted", (json_int_t)b->submitted, "registered",
		      (json_int_t)b->registered, "refused", (json_int_t)b->refused, "file", b->file);
	ctl_print_json(j);
}

static int ask(struct ctl *c, const char *name, const struct eum_batch_info **out)
{
	const struct eum_get_batch_rq rq = { .base.fci = new_fci(c), .batch = name };
	const struct eum_get_batch_rs *rs;
	const void *response;
	int code = soap_call(c, function_by_id(FN_EUM_GetBatch), &rq, &response);

	if (code != EXIT_OK)
		return code;
	rs = response;
	if (!rs->info)
		return ctl_fail(c, EXIT_INTERNAL, "EUM-GetBatch: the answer says nothing about the batch");
	*out = rs->info;
	return EXIT_OK;
}

static bool finished(const struct eum_batch_info *b)
{
	return b->registered + b->refused >= b->quantity;
}

int cmd_batch_status(struct ctl *c)
{
	const char *wait = c->option[OPT_WAIT];
	const struct timespec pause = { .tv_nsec = 500 * 1000 * 1000 };
	const struct eum_batch_info *b = NULL;
	int64_t until = 0;
	int code;

	if (wait && (!*wait || strlen(wait) > 6 || strspn(wait, "0123456789") != strlen(wait)))
		return ctl_fail(c, EXIT_USAGE, "--wait %s: should be a number of seconds", wait);
	until = clock_ms() + (wait ? atoll(wait) * 1000 : 0);
	while ((code = ask(c, c->args[0], &b)) == EXIT_OK && !finished(b) && clock_ms() < until)
		nanosleep(&pause, NULL);
	if (code != EXIT_OK)
		return code;
	if (wait && (!finished(b) || b->refused))
		return ctl_fail(c, EXIT_REFUSED, "%s: after %s s %lld of %lld cards are registered, %lld were refused", b->name,
				wait, (long long)b->registered, (long long)b->quantity, (long long)b->refused);
	print_batch(c, b);
	return EXIT_OK;
}

int cmd_eis_properties(struct ctl *c)
{
	struct eum_update_properties_rq rq = { .base.fci = new_fci(c) };
	CLEANUP(json_freep) json_t *done = json_object();
	const void *response;
	int code;

	if (!eid_parse(c->args[0], &rq.eid))
		return ctl_fail(c, EXIT_USAGE, "EID %s: should be 32 digits whose check digits hold", c->args[0]);
	rq.properties.n_items = c->n_args - 1;
	rq.properties.items = arena_array(c->arena, c->n_args, sizeof(*rq.properties.items));
	for (unsigned i = 1; i < c->n_args; i++) {
		const char *equals = strchr(c->args[i], '=');

		if (!equals || equals == c->args[i])
			return ctl_fail(c, EXIT_USAGE, "%s: should be KEY=VALUE", c->args[i]);
		rq.properties.items[i - 1].key = arena_strndup(c->arena, c->args[i], (size_t)(equals - c->args[i]));
		rq.properties.items[i - 1].value = equals + 1;
	}
	code = soap_call(c, function_by_id(FN_EUM_UpdateProperties), &rq, &response);
	if (code != EXIT_OK)
		return code;
	json_object_set_new(done, "eid", json_string(rq.eid.text));
	json_object_set_new(done, "fci", json_string(rq.base.fci));
	if (c->json)
		ctl_print_json(done);
	else
		printf("%s: the EUM passes %u properties on to the SM-SR\n", rq.eid.text, c->n_args - 1);
	return EXIT_OK;
}
