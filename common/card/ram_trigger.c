/* SPDX-License-Identifier: Apache-2.0 */
/* The SMS that makes a card open an administration session (GlobalPlatform Amendment B; card.md 6, binding.md f12). */
#include <string.h>

#include "common/card/ram_http.h"
#include "common/card/tlv_internal.h"

enum {
	TAG_TRIGGER = 0x81,
	TAG_DOMAIN = 0x83,
	TAG_TIMER = 0x25,
	COMPREHENSION = 0x80, /* the SIM toolkit objects come with or without it */
	BEARER_DEFAULT = 0x03,
	BUFFER_SIZE = 1500,
	TCP_CLIENT = 0x02,
	IPV4 = 0x21,
};

/* The connection: objects of BIP's OPEN CHANNEL. */
struct link {
	uint64_t bearer, buffer;
	struct bytes access_point, port, address;
};
struct post {
	struct bytes host, agent, uri;
};
struct domain {
	struct link *link;
	struct bytes security, retry;
	struct post *post;
};
struct trigger {
	struct domain *domain;
};
struct message {
	struct trigger trigger;
};

#define TOOLKIT(tag_, type_, member_) \
	TLV_ROW(tag_, type_, TLV_OPTIONAL, struct link, member_), .aliases = { (tag_) ^ COMPREHENSION }

static const struct tlv_field link_fields[] = {
	{ TOOLKIT(0x35, TLV_UINT, bearer), .min = 1, .max = 8 },
	{ TOOLKIT(0x39, TLV_UINT, buffer), .min = 2, .max = 2 },
	{ TOOLKIT(0x47, TLV_BYTES, access_point) },
	{ TOOLKIT(0x3C, TLV_BYTES, port), .min = 3, .max = 3 },
	{ TOOLKIT(0x3E, TLV_BYTES, address), .min = 1 },
	{ 0 },
};
static const struct tlv_group link_group = { sizeof(struct link), link_fields, .any_order = true };
static const struct tlv_field post_fields[] = {
	{ TLV_ROW(0x8A, TLV_BYTES, TLV_OPTIONAL, struct post, host) },
	{ TLV_ROW(0x8B, TLV_BYTES, TLV_OPTIONAL, struct post, agent) },
	{ TLV_ROW(0x8C, TLV_BYTES, TLV_OPTIONAL, struct post, uri) },
	{ 0 },
};
static const struct tlv_group post_group = { sizeof(struct post), post_fields, .any_order = true };
static const struct tlv_field domain_fields[] = {
	{ TLV_ROW_GROUP(0x84, TLV_OPTIONAL, struct domain, link, &link_group) },
	{ TLV_ROW(0x85, TLV_BYTES, TLV_OPTIONAL, struct domain, security) },
	{ TLV_ROW(0x86, TLV_BYTES, TLV_OPTIONAL, struct domain, retry), .min = 2 },
	{ TLV_ROW_GROUP(0x89, TLV_OPTIONAL, struct domain, post, &post_group) },
	{ 0 },
};
static const struct tlv_group domain_group = { sizeof(struct domain), domain_fields, .any_order = true };
static const struct tlv_field trigger_fields[] = {
	{ TLV_ROW_GROUP(TAG_DOMAIN, TLV_OPTIONAL, struct trigger, domain, &domain_group) },
	{ 0 },
};
static const struct tlv_group trigger_group = { sizeof(struct trigger), trigger_fields, .strict = true };
static const struct tlv_field message_fields[] = {
	{ TLV_ROW_GROUP(TAG_TRIGGER, 0, struct message, trigger, &trigger_group) },
	{ 0 },
};
static const struct tlv_group message_group = { sizeof(struct message), message_fields, .strict = true };

/* Semi-octets of a timer: the digit of ones is in the high nibble. */
static uint8_t swapped_bcd(unsigned v)
{
	return (uint8_t)(v % 10 << 4 | v / 10);
}

static bool from_swapped_bcd(uint8_t b, unsigned limit, unsigned *out)
{
	unsigned v = (b & 15u) * 10 + (b >> 4);

	if ((b & 15u) > 9 || b >> 4 > 9 || v >= limit)
		return false;
	*out = v;
	return true;
}

static struct bytes said(struct bytes text)
{
	return text.len ? text : (struct bytes){ NULL, 0 };
}

void ram_domain_build(struct buf *out, const struct ram_trigger *t)
{
	const uint8_t port[] = { TCP_CLIENT, (uint8_t)(t->port >> 8), (uint8_t)t->port };
	const uint8_t address[] = { IPV4, (uint8_t)(t->address >> 24), (uint8_t)(t->address >> 16), (uint8_t)(t->address >> 8),
				    (uint8_t)t->address };
	/* No PSK identity of its own (length 0), then which key. */
	const uint8_t security[] = { 0, 2, t->kvn, t->key_id };
	const uint8_t retry[] = { 0,
				  t->retries,
				  TAG_TIMER | COMPREHENSION,
				  3,
				  swapped_bcd(t->retry_delay_s / 3600u),
				  swapped_bcd(t->retry_delay_s / 60u % 60),
				  swapped_bcd(t->retry_delay_s % 60u) };
	struct link link = { .bearer = BEARER_DEFAULT, .buffer = BUFFER_SIZE };
	struct post post = { said(t->host), said(t->agent), said(t->uri) };
	struct domain domain = { 0 };

	if (t->port)
		link.port = (struct bytes){ port, sizeof(port) };
	if (t->address)
		link.address = (struct bytes){ address, sizeof(address) };
	if (t->port || t->address)
		domain.link = &link;
	if (t->kvn)
		domain.security = (struct bytes){ security, sizeof(security) };
	if (t->retries)
		domain.retry = (struct bytes){ retry, sizeof(retry) };
	if (post.host.data || post.agent.data || post.uri.data)
		domain.post = &post;
	tlv_encode(out, &domain_group, &domain);
}

void ram_trigger_build(struct buf *out, const struct ram_trigger *t)
{
	size_t at = out->len;

	if (!t->stored) {
		ram_domain_build(out, t);
		tlv_wrap(out, at, TAG_DOMAIN);
	}
	tlv_wrap(out, at, TAG_TRIGGER);
}

static bool read_link(const struct link *l, struct ram_trigger *out)
{
	const uint8_t *p = l->address.data;

	if (l->port.data)
		out->port = (uint16_t)(l->port.data[1] << 8 | l->port.data[2]);
	if (!p || p[0] != IPV4)
		return true; /* another kind of address is not ours to read */
	if (l->address.len != 5)
		return false;
	out->address = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	return true;
}

/* PSK identity and key, each behind one byte of length; a hash may follow. */
static bool read_security(struct bytes v, struct ram_trigger *out)
{
	size_t at;

	if (!v.data)
		return true;
	if (v.len == 0)
		return false;
	at = 1u + v.data[0];
	if (v.len < at + 3 || v.data[at] != 2)
		return false;
	out->kvn = v.data[at + 1];
	out->key_id = v.data[at + 2];
	return true;
}

/* A card keeps at most what our members hold; more is as good as that. */
static bool read_retry(struct bytes v, struct ram_trigger *out)
{
	struct tlv t;
	struct bytes rest;
	unsigned hours, minutes, seconds, delay_s;

	if (!v.data)
		return true;
	out->retries = v.data[0] ? UINT8_MAX : v.data[1];
	for (rest = (struct bytes){ v.data + 2, v.len - 2 }; rest.len;) {
		if (!tlv_next(&rest, &t))
			return false;
		if ((t.tag & ~(uint32_t)COMPREHENSION) != TAG_TIMER)
			continue;
		if (t.value.len != 3 || !from_swapped_bcd(t.value.data[0], 100, &hours) ||
		    !from_swapped_bcd(t.value.data[1], 60, &minutes) || !from_swapped_bcd(t.value.data[2], 60, &seconds))
			return false;
		delay_s = hours * 3600 + minutes * 60 + seconds;
		out->retry_delay_s = delay_s > UINT16_MAX ? UINT16_MAX : (uint16_t)delay_s;
	}
	return true;
}

static bool read_domain(const struct domain *d, struct ram_trigger *out)
{
	if (d->post) {
		out->host = d->post->host;
		out->agent = d->post->agent;
		out->uri = d->post->uri;
	}
	return (!d->link || read_link(d->link, out)) && read_security(d->security, out) && read_retry(d->retry, out);
}

bool ram_domain_parse(struct bytes in, struct ram_trigger *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ram_trigger made = { 0 };
	struct tlv_fault fault;
	struct domain d;

	if (!tlv_decode_fault(a, &domain_group, in, &d, &fault) || !read_domain(&d, &made))
		return false;
	*out = made;
	return true;
}

bool ram_trigger_parse(struct bytes in, struct ram_trigger *out)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct ram_trigger made = { 0 };
	struct tlv_fault fault;
	struct message m;

	if (!tlv_decode_fault(a, &message_group, in, &m, &fault))
		return false;
	made.stored = !m.trigger.domain;
	if (m.trigger.domain && !read_domain(m.trigger.domain, &made))
		return false;
	*out = made;
	return true;
}
