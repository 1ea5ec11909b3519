/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: 3GPP TS 31.102 and ETSI TS 102 221 (files and their contents), GlobalPlatform Card Specification (MNO-SD), as in the packages that the GSMA
 * publishes (TS.48). Values that personalisation replaces are zeros. */
#include "common/card/profile_default.h"

#include <assert.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/profile_internal.h"

const char PROFILE_DEFAULT_TYPE[] = "m2m-rsp default USIM";
const char PROFILE_METER_TYPE[] = "m2m-rsp meter, data";

/* A TLV: the rows behind it that are deeper are in it. */
struct row {
	uint8_t depth;
	uint32_t tag;
	const char *hex; /* NULL: constructed, or, where nothing is in it, empty */
};

#define ZEROS_16 "00000000000000000000000000000000"
#define USIM_AID "A0000000871002FFFFFFFF8907090000"
#define MF_TEMPLATE "67810F010201"
#define USIM_TEMPLATE "67810F010204"
#define OPT_USIM_TEMPLATE "67810F010205"

/* clang-format off */
#define ROW(depth_, tag_, hex_) { .depth = (depth_), .tag = (tag_), .hex = (hex_) }
/* clang-format on */
#define ELEMENT(tag, identification) ROW(0, tag, NULL), ROW(1, 0xA0, NULL), ROW(2, 0x80, ""), ROW(2, 0x81, identification)
/* arr: the EF.ARR and its record: 01 directories, 02 read always, 03 read with PIN, 04 read and update with PIN, 05 administrator only. */
#define EF(tag, descriptor, id, arr, size, content)                                                                               \
	ROW(1, tag, NULL), ROW(2, 0xA1, NULL), ROW(3, 0x82, descriptor), ROW(3, 0x83, id), ROW(3, 0x8B, arr), ROW(3, 0x80, size), \
		ROW(2, 0x83, content)
#define ARR_RECORDS                                    \
	"80015EA40683010A950108FFFFFFFFFFFFFFFFFFFFFF" \
	"800101900080011AA40683010A950108FFFFFFFFFFFF" \
	"800101A40683010195010880011AA40683010A950108" \
	"800103A406830101950108800118A40683010A950108" \
	"80011BA40683010A950108FFFFFFFFFFFFFFFFFFFFFF"
/* Tries of PUKs are the default, 10 of 10, and of PINs, 3 of 3. */
#define PUK(reference) ROW(2, 0x30, NULL), ROW(3, 0x80, reference), ROW(3, 0x81, "3030303030303030")
#define PIN(reference, puk) ROW(3, 0x30, NULL), ROW(4, 0x80, reference), ROW(4, 0x81, "30303030FFFFFFFF"), ROW(4, 0x82, puk)
#define ADM(reference) \
	ROW(3, 0x30, NULL), ROW(4, 0x80, reference), ROW(4, 0x81, "3030303030303030"), ROW(4, 0x83, "03"), ROW(4, 0x84, "00AA")
/* AES; usages 18 14 48: SCP80, 38 34 C8: SCP03, for enciphering, MAC and keys. */
#define KEY(usage, id, version)                                                                                                   \
	ROW(2, 0x30, NULL), ROW(3, 0x95, usage), ROW(3, 0x82, id), ROW(3, 0x83, version), ROW(3, 0x30, NULL), ROW(4, 0x30, NULL), \
		ROW(5, 0x80, "88"), ROW(5, 0x86, ZEROS_16)
#define MILENAGE                                                                                                \
	ROW(1, 0xA1, NULL), ROW(2, 0xA1, NULL), ROW(3, 0x80, "01"), ROW(3, 0x81, "01"), ROW(3, 0x82, ZEROS_16), \
		ROW(3, 0x83, ZEROS_16)
/* Of the MNO-SD: names, privileges, state and parameters; its keys follow. */
#define MNO_SD                                                                                                                  \
	ROW(1, 0xA1, NULL), ROW(2, 0x4F, "A0000001515350"), ROW(2, 0x4F, "A000000151535041"), ROW(2, 0x4F, "A000000151000000"), \
		ROW(2, 0x82, "82DC00"), ROW(2, 0x83, "0F"), ROW(2, 0xC9, "81028000810203708201F08301F08701F0"),                 \
		ROW(2, 0xEA, NULL), ROW(3, 0x80, "010000000002010206B2010000000000"), ROW(1, 0xA2, NULL)

static const struct row first[] = {
	{ 0, 0xA0, NULL },
	{ 1, 0x80, "02" },
	{ 1, 0x81, "03" },
	{ 1, 0x82, "6D326D2D7273702064656661756C74205553494D" },
	{ 1, 0x83, "89000000000000000000" },
	{ 1, 0xA5, NULL },
	{ 2, 0x80 | SERVICE_USIM, "" },
	{ 2, 0x80 | SERVICE_MILENAGE, "" },
	{ 1, 0xA6, NULL },
	{ 2, 0x06, MF_TEMPLATE },
	{ 2, 0x06, USIM_TEMPLATE },

	ELEMENT(0xB0, "01"), /* mf */
	{ 1, 0x81, MF_TEMPLATE },
	{ 1, 0xA2, NULL },
	{ 2, 0xA1, NULL },
	{ 3, 0x8B, "2F0601" },
	{ 3, 0xC6, "010A" },
	EF(0xA4, "4121", "2FE2", "2F0602", "0A", "98000000000000000000"),
	EF(0xA5, "42210026", "2F00", "2F0602", "26", "61184F10" USIM_AID "50045553494D"),
	EF(0xA6, "42210016", "2F06", "2F0602", "6E", ARR_RECORDS),

	ELEMENT(0xA3, "02"), /* pukCodes */
	{ 1, 0xA1, NULL },
	PUK("01"),
	PUK("0081"),

	ELEMENT(0xA2, "03"), /* pinCodes of the MF */
	{ 1, 0xA1, NULL },
	{ 2, 0xA0, NULL },
	PIN("01", "01"),
	ADM("0A"),

	ELEMENT(0xB3, "04"), /* usim */
	{ 1, 0x81, USIM_TEMPLATE },
	{ 1, 0xA2, NULL },
	{ 2, 0xA1, NULL },
	{ 3, 0x83, "7FD0" },
	{ 3, 0x84, USIM_AID },
	{ 3, 0x8B, "2F0601" },
	{ 3, 0xC6, "81010A" },
	EF(0xA3, "4121", "6F07", "6F0603", "09", "080910100000000000"),
	EF(0xA4, "42210016", "6F06", "6F0602", "6E", ARR_RECORDS),
	/* services 10 SMS, 12 SMSP, 19 SPN, 33 (always), 85 EPS */
	EF(0xA8, "4121", "6F38", "6F0603", "0B", "000A040001000000000010"),
	EF(0xAD, "4121", "6F46", "6F0602", "11", "006D326D2D727370FFFFFFFFFFFFFFFFFF"),
	EF(0xAE, "4121", "6F56", "6F0603", "01", "00"),
	EF(0xB2, "4121", "6F78", "6F0603", "02", "0001"),
	EF(0xB5, "4121", "6FAD", "6F0602", "04", "00000002"),
	EF(0xB6, "42210004", "6FB7", "6F0602", "04", "11F2FF00"),

	ELEMENT(0xA2, "05"), /* pinCodes of the USIM */
	{ 1, 0xA1, NULL },
	{ 2, 0xA0, NULL },
	PIN("0081", "0081"),

	ELEMENT(0xA4, "06"), /* akaParameter */
	MILENAGE,
};

static const struct row last[] = {
	ELEMENT(0xA6, "07"), /* securityDomain: the MNO-SD */
	MNO_SD,
	KEY("18", "01", "01"),
	KEY("14", "02", "01"),
	KEY("48", "03", "01"),
	KEY("38", "01", "30"),
	KEY("34", "02", "30"),
	KEY("C8", "03", "30"),

	ELEMENT(0xAA, "08"), /* end */
};

/* Its directory for a meter's own data. */
#define METER_DIRECTORY "7F6D"
#define METER_AID "A0000000871002FFFFFFFF8907090001"
/* 01 directories, 02 read always, 03 read and update always. */
#define METER_RECORDS                                  \
	"80015EA40683010A950108FFFFFFFFFFFFFFFFFFFFFF" \
	"800101900080011AA40683010A950108FFFFFFFFFFFF" \
	"8001039000800118A40683010A950108FFFFFFFFFFFF"
/* EF.NASCONFIG (3GPP TS 31.102 4.2.94): low priority signalling, network mode I, attach with IMSI, extended access barring. */
#define NAS_TAG 0xBF43
#define METER_NAS "800101810101820101840101"
#define MANAGED(descriptor, id, arr) ROW(3, 0x62, NULL), ROW(4, 0x82, descriptor), ROW(4, 0x83, id), ROW(4, 0x8B, arr)

static const struct row meter[] = {
	{ 0, 0xA0, NULL },
	{ 1, 0x80, "02" },
	{ 1, 0x81, "03" },
	{ 1, 0x82, "6D326D2D727370206D657465722C2064617461" },
	{ 1, 0x83, "89000000000000000000" },
	{ 1, 0xA5, NULL },
	{ 2, 0x80 | SERVICE_USIM, "" },
	{ 2, 0x80 | SERVICE_MILENAGE, "" },
	{ 2, 0x80 | SERVICE_BER_TLV, "" },
	{ 1, 0xA6, NULL },
	{ 2, 0x06, MF_TEMPLATE },
	{ 2, 0x06, USIM_TEMPLATE },
	{ 2, 0x06, OPT_USIM_TEMPLATE },

	ELEMENT(0xB0, "01"), /* mf */
	{ 1, 0x81, MF_TEMPLATE },
	{ 1, 0xA2, NULL },
	{ 2, 0xA1, NULL },
	{ 3, 0x8B, "2F0601" },
	{ 3, 0xC6, "0A" },
	EF(0xA4, "4121", "2FE2", "2F0602", "0A", "98000000000000000000"),
	EF(0xA5, "42210026", "2F00", "2F0602", "26", "61184F10" METER_AID "500444415441"),
	EF(0xA6, "42210016", "2F06", "2F0602", "42", METER_RECORDS),

	ELEMENT(0xA2, "02"), /* pinCodes: nobody is there to enter one */
	{ 1, 0xA1, NULL },
	{ 2, 0xA0, NULL },
	ADM("0A"),

	ELEMENT(0xA1, "03"), /* genericFileManagement: a register and objects (BER-TLV) of the meter's application */
	{ 1, 0xA1, NULL },
	{ 2, 0x30, NULL },
	{ 3, 0x80, "" },
	MANAGED("7821", METER_DIRECTORY, "2F0601"),
	{ 4, 0xC6, "0A" },
	{ 3, 0x80, METER_DIRECTORY },
	MANAGED("4121", "4F01", "2F0603"),
	{ 4, 0x80, "10" },
	{ 4, 0x88, "" },
	{ 3, 0x81, ZEROS_16 },
	MANAGED("7921", "4F02", "2F0603"),
	{ 4, 0x80, "0100" },
	{ 4, 0x88, "" },

	ELEMENT(0xB3, "04"), /* usim */
	{ 1, 0x81, USIM_TEMPLATE },
	{ 1, 0xA2, NULL },
	{ 2, 0xA1, NULL },
	{ 3, 0x83, "7FD0" },
	{ 3, 0x84, METER_AID },
	{ 3, 0x8B, "2F0601" },
	{ 3, 0xC6, "0A" },
	EF(0xA3, "4121", "6F07", "6F0602", "09", "080910100000000000"),
	EF(0xA4, "42210016", "6F06", "6F0602", "42", METER_RECORDS),
	/* services 33 (always), 85 EPS, 96 NAS configuration: no SMS, no name */
	EF(0xA8, "4121", "6F38", "6F0602", "0C", "000000000100000000001080"),
	{ 1, 0xAD, NULL }, /* ef-spn */
	{ 2, 0x80, "" },
	EF(0xAE, "4121", "6F56", "6F0602", "01", "00"),
	EF(0xB2, "4121", "6F78", "6F0602", "02", "0001"),
	EF(0xB5, "4121", "6FAD", "6F0602", "04", "00000002"),
	EF(0xB6, "42210004", "6FB7", "6F0602", "04", "11F2FF00"),
	/* no location and no security context yet */
	EF(0xB8, "4121", "6FE3", "6F0603", "12", "FFFFFFFFFFFFFFFFFFFFFFFF000000000001"),
	{ 1, 0xB9, NULL }, /* ef-epsnsc */
	{ 2, 0xA1, NULL },
	{ 3, 0x82, "42210036" },
	{ 3, 0x83, "6FE4" },
	{ 3, 0x8B, "6F0603" },
	{ 3, 0x80, "36" },

	ELEMENT(0xB4, "05"), /* opt-usim */
	{ 1, 0x81, OPT_USIM_TEMPLATE },
	EF(NAS_TAG, "4121", "6FE8", "6F0602", "0C", METER_NAS),

	ELEMENT(0xA4, "06"), /* akaParameter */
	MILENAGE,

	ELEMENT(0xA6, "07"), /* securityDomain: the MNO-SD */
	MNO_SD,
	KEY("18", "01", "01"),
	KEY("14", "02", "01"),
	KEY("48", "03", "01"),

	ELEMENT(0xAA, "08"), /* end */
};

static void add_hex(struct buf *out, const char *hex)
{
	size_t n = strlen(hex);
	bool ok;

	buf_reserve(out, n / 2);
	ok = hex_decode(hex, n, (uint8_t *)out->data + out->len);
	assert(ok);
	out->len += n / 2;
}

/* Writes row i and what is in it; the row behind them. */
static size_t add_row(struct buf *out, const struct row *rows, size_t n, size_t i)
{
	size_t at = out->len, next = i + 1;

	if (rows[i].hex)
		add_hex(out, rows[i].hex);
	while (next < n && rows[next].depth > rows[i].depth)
		next = add_row(out, rows, n, next);
	tlv_wrap(out, at, rows[i].tag);
	return next;
}

static void add_rows(struct buf *out, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n;)
		i = add_row(out, rows, n, i);
}

/* Padding: one element per file, in directory 7F66 that the first one makes. */
enum { PAD_FILE = 4096, PAD_IDENTIFICATION = 100, PAD_FILE_ID = 0x4F00, PAD_OVERHEAD = 60 };

static const struct row pad_directory[] = {
	{ 0, 0x80, "" }, { 0, 0x62, NULL }, { 1, 0x82, "7821" }, { 1, 0x83, "7F66" }, { 1, 0x8B, "2F0601" }, { 1, 0xC6, "010A" },
};

static void add_pad(struct buf *out, unsigned i, size_t bytes)
{
	uint8_t id[2] = { (PAD_FILE_ID + i) >> 8, (PAD_FILE_ID + i) & 0xFF };
	uint8_t content[PAD_FILE];
	size_t at = out->len, list, commands, fcp;

	der_add_number(out, 0x81, PAD_IDENTIFICATION + i);
	tlv_wrap(out, at, 0xA0);
	list = commands = out->len;
	if (i == 0)
		add_rows(out, pad_directory, LEN(pad_directory));
	tlv_add(out, 0x80, "\x7F\x66", 2);
	fcp = out->len;
	tlv_add(out, 0x82, "\x41\x21", 2);
	tlv_add(out, 0x83, id, 2);
	tlv_add(out, 0x8B, "\x2F\x06\x02", 3);
	tlv_add_number(out, 0x80, bytes, 1);
	tlv_add(out, 0x88, NULL, 0);
	tlv_wrap(out, fcp, 0x62);
	/* not all the same, so that a card that mixes up pieces is found out */
	for (size_t k = 0; k < bytes; k++)
		content[k] = (uint8_t)(k * 7 + k / 256 + i);
	tlv_add(out, 0x81, content, bytes);
	tlv_wrap(out, commands, 0x30);
	tlv_wrap(out, list, 0xA1);
	tlv_wrap(out, at, 0xA0 | PE_GENERIC_FILE_MANAGEMENT);
}

void profile_default_build(struct buf *out, size_t bytes)
{
	CLEANUP(buf_free) struct buf tail = { 0 };
	size_t at = out->len, have;

	add_rows(out, first, LEN(first));
	add_rows(&tail, last, LEN(last));
	for (unsigned i = 0; (have = out->len - at + tail.len) < bytes; i++) {
		size_t need = bytes - have > PAD_OVERHEAD ? bytes - have - PAD_OVERHEAD : 1;

		assert(i < 256);
		add_pad(out, i, need < PAD_FILE ? need : PAD_FILE);
	}
	buf_add(out, tail.data, tail.len);
}

void profile_meter_build(struct buf *out)
{
	add_rows(out, meter, LEN(meter));
}
