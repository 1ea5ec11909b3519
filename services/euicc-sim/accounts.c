/* SPDX-License-Identifier: Apache-2.0 */
#include "services/euicc-sim/accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSWORD_MAX = 64, FILE_MAX = 4096, SYSTEM_ID_MAX = 15, SMPP_PASSWORD_MAX = 8 };

struct account {
	char system_id[SYSTEM_ID_MAX + 1];
	struct secret password;
	char number[SMPP_ADDRESS_MAX + 1];
};

struct accounts {
	struct account rows[ACCOUNTS_MAX]; /* the first is that of the settings: it takes what is for no other */
	size_t n;
};

static bool read_file(const char *path, size_t max, const char *setting, struct secret *out, char error[SIM_ERROR])
{
	int rc = secret_read_file(path, max, out);

	if (rc < 0)
		(void)snprintf(error, SIM_ERROR, "%s: %s (%s)", path, strerror(-rc), setting);
	return rc >= 0;
}

/* One line. */
static bool first_account(const struct sim_config *config, struct account *out, char error[SIM_ERROR])
{
	if (strlen(config->smpp_system_id) > SYSTEM_ID_MAX) {
		(void)snprintf(error, SIM_ERROR, "RSP_SIM_SMPP_SYSTEM_ID: has more than %d characters", SYSTEM_ID_MAX);
		return false;
	}
	(void)snprintf(out->system_id, sizeof(out->system_id), "%s", config->smpp_system_id);
	if (!read_file(config->smpp_password_file, PASSWORD_MAX, "RSP_SIM_SMPP_PASSWORD_FILE", &out->password, error))
		return false;
	while (out->password.len &&
	       (out->password.data[out->password.len - 1] == '\n' || out->password.data[out->password.len - 1] == '\r'))
		out->password.data[--out->password.len] = 0;
	return true;
}

/* The next word of a line; its length is 0 behind the last. */
static const char *word(const char **at, const char *end, size_t *out_n)
{
	const char *begin = *at;

	while (begin < end && *begin == ' ')
		begin++;
	*at = begin;
	while (*at < end && **at != ' ')
		(*at)++;
	*out_n = (size_t)(*at - begin);
	return begin;
}

/* SYSTEM_ID PASSWORD NUMBER. NULL: good; else what is wrong. */
static const char *take_line(struct accounts *a, const char *line, const char *end)
{
	struct account *row = &a->rows[a->n];
	size_t id_n, password_n, number_n, more_n;
	const char *id = word(&line, end, &id_n), *password = word(&line, end, &password_n), *number = word(&line, end, &number_n);

	(void)word(&line, end, &more_n);
	if (!number_n || more_n)
		return "should be a system id, a password and a number";
	if (id_n > SYSTEM_ID_MAX || password_n > SMPP_PASSWORD_MAX || number_n > SMPP_ADDRESS_MAX)
		return "has at most 15 characters of system id, 8 of password and 20 of number";
	if (a->n == ACCOUNTS_MAX)
		return "is one too many";
	for (size_t i = 0; i < a->n; i++)
		if (!strncmp(a->rows[i].system_id, id, id_n) && !a->rows[i].system_id[id_n])
			return "has a system id that another has";
	memcpy(row->system_id, id, id_n);
	memcpy(row->number, number, number_n);
	row->password = secret_new(password_n);
	memcpy(row->password.data, password, password_n);
	a->n++;
	return NULL;
}

static bool other_accounts(const char *path, struct accounts *a, char error[SIM_ERROR])
{
	CLEANUP(secret_free) struct secret text = { 0 };
	unsigned line = 0;

	if (!read_file(path, FILE_MAX, "RSP_SIM_SMPP_ACCOUNTS_FILE", &text, error))
		return false;
	for (size_t at = 0, end; at < text.len; at = end + 1) {
		const char *begin = (const char *)text.data + at, *wrong;

		for (end = at; end < text.len && text.data[end] != '\n';)
			end++;
		line++;
		wrong = end > at ? take_line(a, begin, (const char *)text.data + end) : NULL;
		if (wrong) {
			(void)snprintf(error, SIM_ERROR, "%s, line %u: %s (RSP_SIM_SMPP_ACCOUNTS_FILE)", path, line, wrong);
			return false;
		}
	}
	return true;
}

struct accounts *accounts_open(const struct sim_config *config, char error[SIM_ERROR])
{
	struct accounts *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->n = 1;
	if (first_account(config, &a->rows[0], error) &&
	    (!*config->smpp_accounts_file || other_accounts(config->smpp_accounts_file, a, error)))
		return a;
	accounts_close(a);
	return NULL;
}

void accounts_close(struct accounts *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		secret_free(&a->rows[i].password);
	free(a);
}

size_t accounts_count(const struct accounts *a)
{
	return a->n;
}

/* Takes as long for a wrong password as for a right one. */
static bool same_secret(const struct secret *a, const char *b)
{
	size_t n = strlen(b);
	uint8_t differs = n != a->len;

	for (size_t i = 0; i < a->len; i++)
		differs |= (uint8_t)(a->data[i] ^ (uint8_t)b[i < n ? i : n]);
	return !differs;
}

bool accounts_bind(const struct accounts *a, const char *system_id, const char *password, size_t *out)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->rows[i].system_id, system_id) && same_secret(&a->rows[i].password, password)) {
			*out = i;
			return true;
		}
	return false;
}

size_t accounts_of_number(const struct accounts *a, const char *number)
{
	for (size_t i = 1; i < a->n; i++)
		if (!strcmp(a->rows[i].number, number))
			return i;
	return 0;
}
