/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/ram_http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/hex.h"
#include "common/card/tlv_internal.h"

enum { RID_DIGITS = 10, EID_BYTES = EID_DIGITS / 2 };

/* Text that is read from its front; ends where a header value or one part of it ends. */
struct text {
	const char *p;
	size_t n;
};

static struct text trimmed(const char *p, size_t n)
{
	while (n && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return (struct text){ p, n };
}

static bool skip(struct text *t, const char *prefix)
{
	size_t n = strlen(prefix);

	if (t->n < n || strncasecmp(t->p, prefix, n))
		return false;
	t->p += n;
	t->n -= n;
	return true;
}

/* <RID>/<PIX>, or all digits in one piece. */
static bool read_aid(struct text t, struct aid *out)
{
	char digits[2 * AID_MAX + 1];
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] == '/' && i == RID_DIGITS)
			continue;
		if (n == 2 * AID_MAX || !t.p[i])
			return false;
		digits[n++] = t.p[i];
	}
	digits[n] = '\0';
	return aid_parse(digits, out);
}

static bool read_eid(struct text t, struct eid *out)
{
	char digits[EID_DIGITS + 1];

	if (t.n != EID_DIGITS)
		return false;
	memcpy(digits, t.p, EID_DIGITS);
	digits[EID_DIGITS] = '\0';
	return eid_parse(digits, out);
}

bool ram_from_parse(const char *value, struct eid *out_eid, struct aid *out_aid)
{
	const char *semicolon = value ? strchr(value, ';') : NULL;
	struct text card, agent = { NULL, 0 };
	struct aid aid = { { 0 }, 0 };
	struct eid eid;

	if (!value)
		return false;
	card = trimmed(value, semicolon ? (size_t)(semicolon - value) : strlen(value));
	if (!skip(&card, "//se-id/eid/") || !read_eid(card, &eid))
		return false;
	if (semicolon)
		agent = trimmed(semicolon + 1, strlen(semicolon + 1));
	if (agent.n && ((!skip(&agent, "//aa-id/aid/") && !skip(&agent, "//aaid/aid/")) || !read_aid(agent, &aid)))
		return false;
	*out_eid = eid;
	*out_aid = aid;
	return true;
}

static void add_aid(struct buf *out, const struct aid *aid)
{
	buf_hex(out, aid->data, RID_DIGITS / 2);
	buf_char(out, '/');
	buf_hex(out, aid->data + RID_DIGITS / 2, aid->len - RID_DIGITS / 2);
}

void ram_from_format(struct buf *out, const struct eid *eid, const struct aid *aid, const char *agent_word)
{
	buf_printf(out, "//se-id/eid/%s", eid->text);
	if (aid->len == 0)
		return;
	buf_printf(out, ";//%s/aid/", agent_word);
	add_aid(out, aid);
}

bool ram_target_parse(const char *value, struct aid *out)
{
	struct text t;

	if (!value)
		return false;
	t = trimmed(value, strlen(value));
	return skip(&t, "//aid/") && read_aid(t, out);
}

void ram_target_format(struct buf *out, const struct aid *aid)
{
	buf_str(out, "//aid/");
	add_aid(out, aid);
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

static bool same_media(const char *value, const char *wanted)
{
	const char *p;

	if (!value)
		return false;
	p = skip_blanks(value);
	for (const char *w = wanted; *w; w++) {
		if (*w == ';')
			p = skip_blanks(p);
		if (tolower((unsigned char)*p) != tolower((unsigned char)*w))
			return false;
		p++;
		if (*w == ';')
			p = skip_blanks(p);
	}
	return !*skip_blanks(p);
}

bool ram_is_response(const char *content_type)
{
	return same_media(content_type, RAM_RESPONSE);
}

bool ram_is_command(const char *content_type)
{
	return same_media(content_type, RAM_COMMAND);
}

static const char *const status_names[] = {
	[RAM_OK] = "ok",
	[RAM_UNKNOWN_APPLICATION] = "unknown-application",
	[RAM_NOT_A_SECURITY_DOMAIN] = "not-a-security-domain",
	[RAM_SECURITY_ERROR] = "security-error",
	[RAM_TEMPORARILY_UNAVAILABLE] = "temporarily-unavailable-application",
	[RAM_STATUS_OTHER] = "other",
};

enum ram_status ram_status_parse(const char *value)
{
	struct text t;

	if (!value)
		return RAM_STATUS_OTHER;
	t = trimmed(value, strlen(value));
	for (size_t i = 0; i < RAM_STATUS_OTHER; i++)
		if (t.n == strlen(status_names[i]) && !strncasecmp(t.p, status_names[i], t.n))
			return (enum ram_status)i;
	return RAM_STATUS_OTHER;
}

const char *ram_status_name(enum ram_status s)
{
	return (size_t)s < LEN(status_names) ? status_names[s] : status_names[RAM_STATUS_OTHER];
}

struct identity_wire {
	uint64_t format;
	struct bytes eid;
	struct aid aid;
	uint64_t key_id, kvn;
};

enum { IDENTITY_FORMAT = 2 };

static const struct tlv_field identity_fields[] = {
	{ TLV_ROW(0x80, TLV_UINT, 0, struct identity_wire, format), .min = 1, .max = 1 },
	{ TLV_ROW(0x81, TLV_BYTES, 0, struct identity_wire, eid), .min = EID_BYTES, .max = EID_BYTES },
	{ TLV_ROW(0x4F, TLV_AID, 0, struct identity_wire, aid) },
	{ TLV_ROW(0x82, TLV_UINT, 0, struct identity_wire, key_id), .min = 1, .max = 1 },
	{ TLV_ROW(0x83, TLV_UINT, 0, struct identity_wire, kvn), .min = 1, .max = 1 },
	{ 0 },
};
static const struct tlv_group identity_group = { sizeof(struct identity_wire), identity_fields, .strict = true };

bool psk_identity_parse(const char *text, struct psk_identity *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	uint8_t raw[PSK_IDENTITY_MAX / 2];
	struct identity_wire w;
	struct tlv_fault fault;
	struct eid eid;
	size_t n = strnlen(text, PSK_IDENTITY_MAX);

	if (n == PSK_IDENTITY_MAX || !hex_decode(text, n, raw))
		return false;
	if (!tlv_decode_fault(a, &identity_group, (struct bytes){ raw, n / 2 }, &w, &fault) || w.format != IDENTITY_FORMAT)
		return false;
	if (!eid_from_bytes(w.eid.data, &eid))
		return false;
	*out = (struct psk_identity){ eid, w.aid, (uint8_t)w.key_id, (uint8_t)w.kvn };
	return true;
}

void psk_identity_format(const struct psk_identity *id, char out[PSK_IDENTITY_MAX])
{
	CLEANUP(buf_free) struct buf raw = { 0 };
	uint8_t eid[EID_BYTES];
	const struct identity_wire w = { IDENTITY_FORMAT, { eid, sizeof(eid) }, id->aid, id->key_id, id->kvn };

	eid_bytes(&id->eid, eid);
	tlv_encode(&raw, &identity_group, &w);
	hex_encode((const uint8_t *)raw.data, raw.len, out);
}
