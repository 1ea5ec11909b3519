/* SPDX-License-Identifier: Apache-2.0 */
/* One file of the registry, made by rsp-certs or by hand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

enum { CERT_FILE_MAX = 64 * 1024 };

static void file_close(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Text of a file; NULL: errno says. */
static const char *read_text(struct arena *a, const char *path, size_t max)
{
	CLEANUP(file_close) FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (!f)
		return NULL;
	text = arena_alloc(a, max + 1);
	n = fread(text, 1, max + 1, f);
	if (ferror(f))
		return NULL;
	if (n > max) {
		errno = EFBIG;
		return NULL;
	}
	text[n] = '\0';
	return text;
}

static const char *beside(struct arena *a, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	return *path == '/' || !slash ? path : arena_printf(a, "%.*s/%s", (int)(slash - file), file, path);
}

/* Replaces the paths in "certificates" by what the files hold. */
static bool resolve_certificates(struct arena *a, const char *file, json_t *entity, char error[512])
{
	json_t *list = json_object_get(entity, "certificates"), *item, *texts;
	size_t i;

	if (!json_is_array(list)) {
		snprintf(error, 512, "%s: certificates: a list of files (PEM), relative to this one", file);
		return false;
	}
	texts = json_array();
	json_array_foreach(list, i, item)
	{
		const char *path = json_string_value(item) ? beside(a, file, json_string_value(item)) : NULL;
		const char *text = path ? read_text(a, path, CERT_FILE_MAX) : NULL;

		if (!text || !strstr(text, "-----BEGIN CERTIFICATE-----")) {
			snprintf(error, 512, "%s: certificates[%zu]: %s: %s", file, i, path ? path : "not a string",
				 path && !text ? strerror(errno) : "should be the path of a PEM certificate");
			json_decref(texts);
			return false;
		}
		json_array_append_new(texts, json_string(text));
	}
	json_object_set_new(entity, "certificates", texts);
	return true;
}

static bool check_oid(const char *file, const char *field, const json_t *value, char error[512])
{
	struct oid oid;

	if (json_string_value(value) && oid_parse(json_string_value(value), &oid))
		return true;
	snprintf(error, 512, "%s: %s: should be an OID like 1.3.6.1.4.1.99999.1", file, field);
	return false;
}

static bool check_roles(const char *file, const json_t *roles, char error[512])
{
	const json_t *item;
	enum role role;
	size_t i;

	json_array_foreach(roles, i, item)
	{
		if (!json_string_value(item) || !role_parse(json_string_value(item), &role)) {
			snprintf(error, 512, "%s: roles[%zu]: should be eum, operator, m2m-sp, sm-dp or sm-sr", file, i);
			return false;
		}
	}
	if (!json_array_size(roles))
		snprintf(error, 512, "%s: roles: a list of at least one of eum, operator, m2m-sp, sm-dp, sm-sr", file);
	return json_array_size(roles) > 0;
}

static bool is_url(const json_t *v)
{
	return json_string_value(v) && !strncmp(json_string_value(v), "https://", 8);
}

/* "ES4": "https://..." or a list of such. */
static bool check_addresses(const char *file, json_t *addresses, char error[512])
{
	const char *iface;
	json_t *value;

	if (addresses && !json_is_object(addresses)) {
		snprintf(error, 512, "%s: addresses: should be an object like {\"ES4\":\"https://host:port\"}", file);
		return false;
	}
	json_object_foreach(addresses, iface, value)
	{
		const json_t *item;
		size_t i;
		bool good = is_url(value) || json_array_size(value) > 0;

		json_array_foreach(value, i, item) good = good && is_url(item);
		if (!good) {
			snprintf(error, 512, "%s: addresses.%.20s: should be an https:// URL or a list of such", file, iface);
			return false;
		}
	}
	return true;
}

/* {"fci":"weak"} becomes "fci=weak", the form of the registry; a text stays. */
static bool resolve_dialect(const char *file, json_t *entity, char error[512])
{
	json_t *dialect = json_object_get(entity, "dialect"), *value;
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *key;

	if (!dialect || json_is_string(dialect))
		return true;
	if (!json_is_object(dialect)) {
		snprintf(error, 512, "%s: dialect: should be an object like {\"fci\":\"weak\"}", file);
		return false;
	}
	json_object_foreach(dialect, key, value)
	{
		if (!json_string_value(value) || strpbrk(key, " =") || strchr(json_string_value(value), ' ')) {
			snprintf(error, 512, "%s: dialect.%.40s: should be a text without blanks", file, key);
			return false;
		}
		buf_printf(&text, "%s%s=%s", text.len ? " " : "", key, json_string_value(value));
	}
	json_object_set_new(entity, "dialect", json_string(text.len ? text.data : ""));
	return true;
}

static bool check_entity(const char *file, json_t *entity, char error[512])
{
	const json_t *customers = json_object_get(entity, "customers"), *item;
	size_t i;

	if (!json_is_object(entity)) {
		snprintf(error, 512, "%s: should be one JSON object", file);
		return false;
	}
	if (!check_oid(file, "oid", json_object_get(entity, "oid"), error) ||
	    !check_roles(file, json_object_get(entity, "roles"), error) ||
	    !check_addresses(file, json_object_get(entity, "addresses"), error))
		return false;
	json_array_foreach(customers, i, item) if (!check_oid(file, "customers", item, error)) return false;
	return true;
}

json_t *entity_read(struct arena *a, const char *file, char error[512])
{
	json_error_t fault;
	CLEANUP(json_freep) json_t *entity = json_load_file(file, JSON_REJECT_DUPLICATES, &fault);

	if (!entity) {
		snprintf(error, 512, "%s: line %d: %s", file, fault.line, fault.text);
		return NULL;
	}
	if (!check_entity(file, entity, error) || !resolve_dialect(file, entity, error) ||
	    !resolve_certificates(a, file, entity, error))
		return NULL;
	return json_incref(entity);
}
