/* SPDX-License-Identifier: Apache-2.0 */
/* What a row's type cannot say: values that must be one of a few, or that depend on one another. */
#include <string.h>
#include <sys/un.h>

#include "common/app/app_internal.h"
#include "common/base/log.h"

static const char token_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

struct check {
	const char *prefix;
	struct buf *errors;
	unsigned faults;
};

static struct buf *fault(struct check *c, const char *key)
{
	c->faults++;
	buf_printf(c->errors, "%s%s: ", c->prefix, key);
	return c->errors;
}

/* Part of a NATS subject: a dot or a wildcard in it would reach into other subjects. */
static void check_token(struct check *c, const char *key, const char *value)
{
	if (!*value || strspn(value, token_chars) != strlen(value) || strlen(value) > 32)
		buf_printf(fault(c, key), "'%s' is not a name; give 1 to 32 letters, digits or -\n", value);
}

static void check_range(struct check *c, const char *key, unsigned value, unsigned min, unsigned max)
{
	if (value < min || value > max)
		buf_printf(fault(c, key), "%u is out of range; give a number from %u to %u\n", value, min, max);
}

static void check_url(struct check *c, const struct config_common *config)
{
	bool any = !strcmp(config->listen, "0.0.0.0") || !strcmp(config->listen, "::");

	if (any && !*config->public_url)
		buf_printf(fault(c, "PUBLIC_URL"),
			   "is not set, and partners cannot use the address %s; set it: https://host:port\n", config->listen);
	if (*config->public_url && strncmp(config->public_url, "https://", 8))
		buf_printf(fault(c, "PUBLIC_URL"), "'%s' does not begin with https://\n", config->public_url);
	else if (*config->public_url && strlen(config->public_url) >= SELF_URL_MAX)
		buf_printf(fault(c, "PUBLIC_URL"), "is longer than %d characters\n", SELF_URL_MAX - 1);
}

/* All of these or none; with tls:// all. */
static void check_bus(struct check *c, const struct config_common *config)
{
	const char *const keys[] = { "BUS_CERT", "BUS_KEY", "BUS_CA" };
	const char *const values[] = { config->bus_cert, config->bus_key, config->bus_ca };
	bool tls = !strncmp(config->bus_url, "tls://", 6), any = tls || *values[0] || *values[1] || *values[2];

	if (*config->bus_url && !tls && strncmp(config->bus_url, "nats://", 7))
		buf_printf(fault(c, "BUS_URL"), "'%s' does not begin with tls:// or nats://\n", config->bus_url);
	for (unsigned i = 0; any && *config->bus_url && i < LEN(keys); i++)
		if (!*values[i])
			buf_printf(fault(c, keys[i]), "is not set; a bus with TLS needs BUS_CERT, BUS_KEY and BUS_CA\n");
}

unsigned config_check(const char *prefix, const struct config_common *config, struct buf *errors)
{
	struct check c = { .prefix = prefix, .errors = errors };
	enum log_level level;
	struct sockaddr_un address;

	if (!log_level_parse(config->log_level, &level))
		buf_printf(fault(&c, "LOG_LEVEL"), "'%s' is not a level; give debug, info, warn or error\n", config->log_level);
	check_token(&c, "DOMAIN", config->domain);
	check_token(&c, "REPLICA", config->replica);
	check_url(&c, config);
	check_bus(&c, config);
	check_range(&c, "THREADS", config->threads, 1, 256);
	check_range(&c, "NORTHBOUND_THREADS", config->northbound_threads, 1, 256);
	check_range(&c, "WORKERS", config->workers, 1, 64);
	check_range(&c, "OUTBOX_IN_FLIGHT", config->outbox_in_flight, 1, 65536);
	check_range(&c, "NOTIFY_GIVE_UP_S", config->notify_give_up_s, 1, 31536000);
	check_range(&c, "CALLBACK_SPARE_S", config->callback_spare_s, 1, 31536000);
	check_range(&c, "CONNECTIONS", config->connections, 1, 1000000);
	check_range(&c, "JOURNAL_MIB", config->journal_mib, 1, 4095);
	check_range(&c, "REQUEST_S", config->request_s, 1, 3600);
	check_range(&c, "IDLE_S", config->idle_s, 1, 86400);
	check_range(&c, "DRAIN_S", config->drain_s, 0, 3600);
	check_range(&c, "PARK_LISTENER", config->park_listener, 1, 100000);
	check_range(&c, "PARK_ENTITY", config->park_entity, 1, 100000);
	check_range(&c, "PARK_MAX_S", config->park_max_s, 1, 86400);
	check_range(&c, "KEEP_DAYS", config->keep_days, 2, 3650); /* the longest validity period is two days (A1, A6) */
	check_range(&c, "DEAD_KEEP_DAYS", config->dead_keep_days, 1, 3650);
	check_range(&c, "CLEAN_S", config->clean_s, 1, 86400);
	if (strlen(config->admin_socket) >= sizeof(address.sun_path))
		buf_printf(fault(&c, "ADMIN_SOCKET"), "%s is too long for a socket; give a path of at most %zu characters\n",
			   config->admin_socket, sizeof(address.sun_path) - 1);
	if (!*config->northbound_cert != !*config->northbound_key)
		buf_printf(fault(&c, *config->northbound_cert ? "NORTHBOUND_KEY" : "NORTHBOUND_CERT"),
			   "is not set, and the other one of the pair is; set both or none\n");
	return c.faults;
}
