/* SPDX-License-Identifier: Apache-2.0 */
/* Where cards go. The EUM does not know the addresses of an SM-SR: whoever runs the cards says them, by SM-SR or for all. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/euicc-sim/sim.h"

struct targets {
	const struct sim_config *config;
	char *path, *other; /* the file, and what becomes it */
	json_t *by_oid;
};

static char *joined(const char *folder, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		abort();
	return path;
}

static bool is_address(const char *text)
{
	struct in6_addr any;

	return text && (inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1);
}

static bool is_number(const char *text)
{
	size_t n = strlen(text);

	return n && n <= SMPP_ADDRESS_MAX && strspn(text, "0123456789") == n;
}

static bool check(const char *oid, const json_t *target, char error[SIM_ERROR])
{
	const char *host = json_string_value(json_object_get(target, "host")),
		   *uri = json_string_value(json_object_get(target, "uri"));
	const char *number = json_string_value(json_object_get(target, "number"));
	json_int_t port = json_integer_value(json_object_get(target, "port"));
	const char *wrong = NULL;
	struct oid parsed;

	if (!oid_parse(oid, &parsed))
		wrong = "its name is no OID";
	else if (!is_address(host))
		wrong = "host should be a numeric address";
	else if (port < 1 || port > UINT16_MAX)
		wrong = "port should be from 1 to 65535";
	else if (!uri || *uri != '/' || strlen(uri) > URI_MAX)
		wrong = "uri should be a path";
	else if (number ? !is_number(number) : json_object_get(target, "number") != NULL)
		wrong = "number should be 1 to 20 digits, or left out";
	if (wrong)
		(void)snprintf(error, SIM_ERROR, "SM-SR %.127s: %s", oid, wrong);
	return !wrong;
}

static bool check_all(json_t *smsr, char error[SIM_ERROR])
{
	void *at;

	if (!json_is_object(smsr)) {
		(void)snprintf(error, SIM_ERROR, "smsr should be {OID: {\"host\", \"port\", \"uri\"}}");
		return false;
	}
	for (at = json_object_iter(smsr); at; at = json_object_iter_next(smsr, at))
		if (!check(json_object_iter_key(at), json_object_iter_value(at), error))
			return false;
	return true;
}

struct targets *targets_open(const struct sim_config *config, char error[SIM_ERROR])
{
	struct targets *t = calloc(1, sizeof(*t));
	json_error_t e;

	if (!t)
		abort();
	t->config = config;
	t->path = joined(config->batches, "smsr.json");
	t->other = joined(config->batches, "smsr.json.new");
	t->by_oid = json_load_file(t->path, 0, &e);
	if (!t->by_oid && access(t->path, F_OK) != 0)
		t->by_oid = json_object();
	if (t->by_oid && check_all(t->by_oid, error))
		return t;
	if (!t->by_oid)
		(void)snprintf(error, SIM_ERROR, "%s cannot be read: %s; remove it and load again", t->path, e.text);
	targets_close(t);
	return NULL;
}

void targets_close(struct targets *t)
{
	if (!t)
		return;
	json_decref(t->by_oid);
	free(t->path);
	free(t->other);
	free(t);
}

bool targets_take(struct targets *t, json_t *smsr, char error[SIM_ERROR])
{
	json_t *all;

	if (!check_all(smsr, error))
		return false;
	all = json_deep_copy(t->by_oid);
	if (!all || json_object_update(all, smsr) != 0)
		abort();
	if (json_dump_file(all, t->other, JSON_COMPACT) != 0 || chmod(t->other, 0600) != 0 || rename(t->other, t->path) != 0) {
		(void)snprintf(error, SIM_ERROR, "%s cannot be written: %s", t->path, strerror(errno));
		json_decref(all);
		return false;
	}
	json_decref(t->by_oid);
	t->by_oid = all;
	return true;
}

/* Where an SM-SR sent the card is no matter of its batch any more. */
static void go_home(const struct card_home *home, struct goal *out)
{
	const struct in_addr address = { .s_addr = htonl(home->address) };

	if (!home->address)
		return;
	(void)inet_ntop(AF_INET, &address, out->host, sizeof(out->host));
	out->port = home->port;
	out->kvn = home->kvn;
	if (*home->uri)
		(void)snprintf(out->uri, sizeof(out->uri), "%s", home->uri);
}

const char *number_default(const struct holder *h)
{
	const json_t *target = json_object_get(h->sim->targets->by_oid, h->smsr);
	const char *number = json_string_value(json_object_get(target, "number"));

	return number ? number : h->sim->config->smsr_number;
}

void goal_default(const struct holder *h, struct goal *out)
{
	const struct sim_config *config = h->sim->config;
	const json_t *target = json_object_get(h->sim->targets->by_oid, h->smsr);
	const char *host = config->smsr_host, *uri = config->smsr_uri;

	*out = (struct goal){ .port = (uint16_t)config->smsr_port };
	if (target) {
		host = json_string_value(json_object_get(target, "host"));
		uri = json_string_value(json_object_get(target, "uri"));
		out->port = (uint16_t)json_integer_value(json_object_get(target, "port"));
	}
	(void)snprintf(out->host, sizeof(out->host), "%s", host);
	(void)snprintf(out->uri, sizeof(out->uri), "%s", uri);
	go_home(&h->card->home, out);
}
