/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and PoRs are the same thing with other fields: a clear head (length of the packet, length of the header, addressing), an
 * inner head (counter, padding counter, a PoR's status), the CC, data. Both go through seal and unseal. */
#include "common/card/scp80.h"

#include <string.h>

#include "common/base/secret.h"

enum { CLEAR_MAX = 10, INNER_MAX = 7, LENGTH_MAX = 0xFFFF, AT_PADDING = SCP80_COUNTER_BYTES };
enum { COMMAND_CLEAR = 10, COMMAND_INNER = 6, POR_CLEAR = 6, POR_INNER = 7 };
enum { CPL_BYTES = 2, CHL_AT = 2, HEAD_AT = 3 }; /* the lengths count what stands behind them */
enum { SPI1_INTEGRITY = 0x03, SPI1_CC = 0x02, SPI1_CIPHERED = 0x04, SPI1_UNUSED = 0xE0 };
enum { SPI2_INTEGRITY = 0x0C, SPI2_CC = 0x08, SPI2_CIPHERED = 0x10 };
enum { ALGORITHM = 0x0F, ALGORITHM_AES = 0x02 };

static const uint8_t answer_udh[] = { 0x02, 0x71, 0x00 };

struct packet {
	struct bytes udh; /* what the CC covers in front of the packet */
	uint8_t clear[CLEAR_MAX], inner[INNER_MAX];
	size_t n_clear, n_inner;
	bool has_cc, is_ciphered;
};

static size_t header_of(const struct packet *p)
{
	return p->n_clear + p->n_inner + (p->has_cc ? SCP80_CC : 0);
}

static void put16(uint8_t *out, size_t value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
}

static void counter_put(uint8_t out[SCP80_COUNTER_BYTES], uint64_t counter)
{
	for (size_t i = 0; i < SCP80_COUNTER_BYTES; i++)
		out[i] = (uint8_t)(counter >> (8 * (SCP80_COUNTER_BYTES - 1 - i)));
}

static uint64_t counter_get(const uint8_t in[SCP80_COUNTER_BYTES])
{
	uint64_t counter = 0;

	for (size_t i = 0; i < SCP80_COUNTER_BYTES; i++)
		counter = counter << 8 | in[i];
	return counter;
}

static bool cc_make(const struct scp80_keys *keys, const struct packet *p, struct bytes data, uint8_t out[SCP80_CC])
{
	const struct bytes parts[] = { p->udh, { p->clear, p->n_clear }, { p->inner, p->n_inner }, data };
	uint8_t mac[AES_BLOCK];

	if (!aes_cmac(keys->kid, parts, LEN(parts), mac))
		return false;
	memcpy(out, mac, SCP80_CC);
	secret_wipe(mac, sizeof(mac));
	return true;
}

static bool keys_there(const struct scp80_keys *keys, const struct packet *p)
{
	return (!p->has_cc || keys->kid) && (!p->is_ciphered || keys->kic);
}

/* Fills the lengths and the padding counter, then writes it all. */
static bool seal(const struct scp80_keys *keys, struct packet *p, struct bytes data, struct buf *out)
{
	size_t cc = p->has_cc ? SCP80_CC : 0, pad = 0, n;
	CLEANUP(secret_free) struct secret body = { 0 };
	struct bytes padded;

	if (!keys_there(keys, p) || data.len > LENGTH_MAX)
		return false;
	if (p->is_ciphered)
		pad = (AES_BLOCK - (p->n_inner + cc + data.len) % AES_BLOCK) % AES_BLOCK;
	n = p->n_inner + cc + data.len + pad;
	if (p->n_clear - CPL_BYTES + n > LENGTH_MAX)
		return false;
	put16(p->clear, p->n_clear - CPL_BYTES + n);
	p->clear[CHL_AT] = (uint8_t)(header_of(p) - HEAD_AT);
	p->inner[AT_PADDING] = (uint8_t)pad;
	body = secret_new(n);
	memcpy(body.data, p->inner, p->n_inner);
	if (data.len > 0)
		memcpy(body.data + p->n_inner + cc, data.data, data.len);
	padded = (struct bytes){ body.data + p->n_inner + cc, data.len + pad };
	if (p->has_cc && !cc_make(keys, p, padded, body.data + p->n_inner))
		return false;
	if (p->is_ciphered && !aes_cbc_encrypt(keys->kic, NULL, body.data, n, body.data))
		return false;
	buf_add(out, p->clear, p->n_clear);
	buf_add(out, body.data, n);
	return true;
}

/* p says what is expected; its heads are filled. The padding is judged after the CC: before, it is anybody's. */
static enum scp80_verdict unseal(struct arena *a, const struct scp80_keys *keys, struct packet *p, struct bytes in,
				 struct bytes *out)
{
	CLEANUP(secret_free) struct secret body = { 0 };
	uint8_t cc[SCP80_CC];
	size_t n, head = header_of(p) - p->n_clear, pad;
	struct bytes padded;

	if (in.len < header_of(p) || in.data[CHL_AT] != header_of(p) - HEAD_AT)
		return SCP80_MALFORMED;
	n = in.len - p->n_clear;
	if (p->is_ciphered && n % AES_BLOCK)
		return SCP80_MALFORMED;
	if (!keys_there(keys, p))
		return SCP80_UNSUPPORTED;
	memcpy(p->clear, in.data, p->n_clear);
	body = secret_new(n);
	memcpy(body.data, in.data + p->n_clear, n);
	if (p->is_ciphered && !aes_cbc_decrypt(keys->kic, NULL, body.data, n, body.data))
		return SCP80_UNSUPPORTED;
	memcpy(p->inner, body.data, p->n_inner);
	padded = (struct bytes){ body.data + head, n - head };
	if (p->has_cc) {
		if (!cc_make(keys, p, padded, cc))
			return SCP80_UNSUPPORTED;
		if (!mac_equal(cc, body.data + p->n_inner, SCP80_CC))
			return SCP80_BAD_CC;
	}
	pad = p->inner[AT_PADDING];
	if (pad > padded.len || (pad > 0 && !p->is_ciphered))
		return SCP80_MALFORMED;
	*out = (struct bytes){ arena_memdup(a, padded.data, padded.len - pad), padded.len - pad };
	return SCP80_GOOD;
}

/* Both kinds begin with their own length and that of their header. */
static bool lengths_agree(struct bytes in, size_t n_head)
{
	return in.len >= n_head && ((size_t)in.data[0] << 8 | in.data[1]) == in.len - CPL_BYTES &&
	       in.data[CHL_AT] >= n_head - HEAD_AT && in.data[CHL_AT] <= in.len - HEAD_AT;
}

static struct packet command_packet(uint8_t spi1)
{
	return (struct packet){
		.n_clear = COMMAND_CLEAR, .n_inner = COMMAND_INNER, .has_cc = true, .is_ciphered = (spi1 & SPI1_CIPHERED) != 0
	};
}

static bool spi1_known(uint8_t spi1)
{
	return (spi1 & SPI1_INTEGRITY) == SPI1_CC && !(spi1 & SPI1_UNUSED);
}

bool scp80_command_build(const struct scp80_keys *keys, const struct scp80_command *c, struct buf *out)
{
	struct packet p = command_packet(c->spi1);
	uint8_t version = (uint8_t)(keys->kvn << 4);

	if (keys->kvn < 0x01 || keys->kvn > 0x0F || c->counter > SCP80_COUNTER_MAX || !spi1_known(c->spi1))
		return false;
	p.clear[3] = c->spi1;
	p.clear[4] = c->spi2;
	/* A packet that is not ciphered names no algorithm, as the notifications of cards do not (procedures.md 4.2). */
	p.clear[5] = version | (p.is_ciphered ? ALGORITHM_AES : 0);
	p.clear[6] = version | ALGORITHM_AES;
	memcpy(p.clear + 7, c->tar, SCP80_TAR);
	counter_put(p.inner, c->counter);
	return seal(keys, &p, c->data, out);
}

bool scp80_command_peek(struct bytes packet, struct scp80_command *out)
{
	struct scp80_command c = { 0 };

	if (!lengths_agree(packet, COMMAND_CLEAR + COMMAND_INNER))
		return false;
	c.spi1 = packet.data[3];
	c.spi2 = packet.data[4];
	c.kic = packet.data[5];
	c.kid = packet.data[6];
	memcpy(c.tar, packet.data + 7, SCP80_TAR);
	*out = c;
	return true;
}

enum scp80_verdict scp80_command_open(struct arena *a, const struct scp80_keys *keys, struct bytes packet,
				      struct scp80_command *out)
{
	struct scp80_command c;
	struct packet p;
	enum scp80_verdict verdict;

	if (!scp80_command_peek(packet, &c))
		return SCP80_MALFORMED;
	p = command_packet(c.spi1);
	if (!spi1_known(c.spi1) || (c.kid & ALGORITHM) != ALGORITHM_AES || (p.is_ciphered && (c.kic & ALGORITHM) != ALGORITHM_AES))
		return SCP80_UNSUPPORTED;
	verdict = unseal(a, keys, &p, packet, &c.data);
	if (verdict != SCP80_GOOD)
		return verdict;
	c.counter = counter_get(p.inner);
	*out = c;
	return SCP80_GOOD;
}

const char *por_status_text(uint8_t status)
{
	static const char *const texts[] = {
		[POR_OK] = "PoR OK",
		[POR_CC_FAILED] = "RC/CC/DS failed",
		[POR_COUNTER_LOW] = "counter low",
		[POR_COUNTER_HIGH] = "counter high",
		[POR_BLOCKED] = "counter blocked",
		[POR_CIPHER] = "ciphering error",
		[POR_SECURITY] = "unidentified security error",
		[POR_MEMORY] = "insufficient memory",
		[POR_MORE_TIME] = "needs more time",
		[POR_TAR_UNKNOWN] = "TAR unknown",
		[POR_LEVEL] = "security level too low",
		[0x0B] = "the response follows by SMS",
		[0x0C] = "the response follows by USSD",
	};

	return status < LEN(texts) ? texts[status] : "unknown status";
}

static struct packet por_packet(uint8_t spi2)
{
	struct packet p = { .udh = { answer_udh, sizeof(answer_udh) }, .n_clear = POR_CLEAR, .n_inner = POR_INNER };

	p.has_cc = (spi2 & SPI2_INTEGRITY) == SPI2_CC;
	p.is_ciphered = (spi2 & SPI2_CIPHERED) != 0;
	return p;
}

/* None, CC, or CC and ciphered: what is ciphered without a CC could be changed unseen. */
static bool spi2_known(uint8_t spi2)
{
	return (spi2 & SPI2_INTEGRITY) == SPI2_CC || !(spi2 & (SPI2_INTEGRITY | SPI2_CIPHERED));
}

bool scp80_por_build(const struct scp80_keys *keys, uint8_t spi2, const struct scp80_por *por, struct buf *out)
{
	struct packet p = por_packet(spi2);

	if (!spi2_known(spi2) || por->counter > SCP80_COUNTER_MAX)
		return false;
	memcpy(p.clear + HEAD_AT, por->tar, SCP80_TAR);
	counter_put(p.inner, por->counter);
	p.inner[POR_INNER - 1] = por->status;
	return seal(keys, &p, por->data, out);
}

enum scp80_verdict scp80_por_open(struct arena *a, const struct scp80_keys *keys, uint8_t spi2, struct bytes packet,
				  struct scp80_por *out)
{
	struct packet p = por_packet(spi2), plain = por_packet(0);
	struct scp80_por por = { 0 };
	enum scp80_verdict verdict;

	if (!lengths_agree(packet, POR_CLEAR + POR_INNER))
		return SCP80_MALFORMED;
	verdict = spi2_known(spi2) ? unseal(a, keys, &p, packet, &por.data) : SCP80_UNSUPPORTED;
	/* The length of its header says which it is: no changed bit turns a protected one into a plain one. */
	if (verdict != SCP80_GOOD && packet.data[CHL_AT] == header_of(&plain) - HEAD_AT) {
		p = plain;
		verdict = unseal(a, keys, &p, packet, &por.data);
	}
	if (verdict != SCP80_GOOD)
		return verdict;
	memcpy(por.tar, p.clear + HEAD_AT, SCP80_TAR);
	por.counter = counter_get(p.inner);
	por.status = p.inner[POR_INNER - 1];
	por.is_protected = p.has_cc;
	*out = por;
	return SCP80_GOOD;
}
