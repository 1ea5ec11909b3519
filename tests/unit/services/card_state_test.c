/* SPDX-License-Identifier: Apache-2.0 */
/* The batch file of the EUM becomes cards; the state file keeps them whatever happens to it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "services/euicc-sim/card_internal.h"
#include "tests/unit/services/card_fixture.h"

enum { CARDS = 8 };

struct world {
	struct arena *a;
	char dir[64], batch[128], state[128];
};

static void close_world(struct world *w)
{
	(void)unlink(w->state);
	(void)unlink(w->batch);
	cr_assert_eq(rmdir(w->dir), 0, "a file was left behind");
	arena_free(w->a);
}

static void put(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(data, 1, n, f), n);
	cr_assert_eq(fclose(f), 0);
}

static struct bytes contents(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "r");
	struct stat st;
	uint8_t *data;

	cr_assert_not_null(f);
	cr_assert_eq(fstat(fileno(f), &st), 0);
	data = arena_alloc(a, (size_t)st.st_size);
	cr_assert_eq(fread(data, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	(void)fclose(f);
	return (struct bytes){ data, (size_t)st.st_size };
}

/* As services/eum/batch_file.c writes it. */
static void line_add(struct buf *b, struct arena *a, unsigned index)
{
	static const struct {
		int version, index;
		uint8_t type;
	} keys[] = { { 1, 1, 0x88 }, { 1, 2, 0x88 }, { 1, 3, 0x88 }, { 64, 1, 0x85 }, { 64, 2, 0x88 } };
	uint8_t key[16], kcv[KCV_LEN];
	struct aid boot = fixture_aid(0), other = fixture_aid(1);
	struct eid eid;

	cr_assert(eid_complete(arena_printf(a, "8900101201234123401234567890%02u", index), &eid));
	buf_printf(b, "{\"eid\":\"%s\",\"platform_type\":\"t\",\"platform_version\":\"4.2.0\",\"ecasd_key\":\"%064d\"", eid.text,
		   7);
	buf_printf(b, ",\"ecasd_certificate\":\"7F21\",\"ci_public_key\":\"04%0128d\",\"isdr_keys\":[", 0);
	for (size_t i = 0; i < LEN(keys); i++) {
		memset(key, (int)(16 * index + i), sizeof(key));
		cr_assert(key_kcv(keys[i].type, key, sizeof(key), kcv));
		buf_printf(b, "%s{\"version\":%d,\"index\":%d,\"type\":\"%02X\",\"kcv\":\"%s\",\"key\":\"%s\"}", i ? "," : "",
			   keys[i].version, keys[i].index, keys[i].type, hex_text(a, kcv, sizeof(kcv)),
			   hex_text(a, key, sizeof(key)));
	}
	buf_printf(b,
		   "],\"profiles\":[{\"iccid\":\"8988201000000000%02u3\",\"aid\":\"%s\",\"state\":\"Enabled\",\"fallback\":true,"
		   "\"memory\":65536,\"mno\":\"1.3.6.1\",\"profile_type\":\"boot\",\"imsi\":\"0010100000000%02u\",\"msisdn\":"
		   "\"4915000000%02u\","
		   "\"pol1\":[\"delete-not-allowed\"]},",
		   index, hex_text(a, boot.data, boot.len), index, index);
	buf_printf(b,
		   "{\"iccid\":\"8988301000000000%02u3\",\"aid\":\"%s\",\"state\":\"Disabled\",\"fallback\":false,\"memory\":1000,"
		   "\"mno\":\"1.3.6.2\",\"profile_type\":\"m2m\",\"imsi\":null,\"msisdn\":null,\"pol1\":[]}]",
		   index, hex_text(a, other.data, other.len));
	buf_printf(b, ",\"memory\":1048576,\"remaining_memory\":982040,\"http\":%s,\"smsr\":{\"oid\":\"1.3.6\",\"smsc\":null}}\n",
		   index == 5 ? "false" : "true");
}

static const char *batch_of(struct arena *a, unsigned cards)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	for (unsigned i = 0; i < cards; i++)
		line_add(&b, a, i);
	return arena_strndup(a, b.data, b.len);
}

static void open_world(struct world *w)
{
	const char *text;

	w->a = arena_new();
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/card-state-XXXXXX");
	cr_assert_not_null(mkdtemp(w->dir));
	(void)snprintf(w->batch, sizeof(w->batch), "%s/7.jsonl", w->dir);
	(void)snprintf(w->state, sizeof(w->state), "%s.state", w->batch);
	text = batch_of(w->a, CARDS);
	put(w->batch, text, strlen(text));
}

static struct card_file *opened(const struct world *w)
{
	char error[CARD_ERROR] = "?";
	struct card_file *f = card_file_open(w->batch, error);

	cr_assert_not_null(f, "%s", error);
	cr_assert_eq(card_file_count(f), CARDS);
	return f;
}

static void check_refused(const struct world *w, const char *part1, const char *part2)
{
	char error[CARD_ERROR] = "nothing";

	cr_assert_null(card_file_open(w->batch, error));
	cr_assert_not_null(strstr(error, part1), "%s: %s", part1, error);
	cr_assert_not_null(strstr(error, part2), "%s: %s", part2, error);
}

Test(card_state, the_batch_file_becomes_cards)
{
	CLEANUP(close_world) struct world w;
	struct card_file *f;
	const struct card *c;
	struct stat st;

	open_world(&w);
	f = opened(&w);
	for (unsigned i = 0; i < CARDS; i++) {
		c = card_file_card(f, i);
		cr_assert_eq(c->phase, CARD_OFF);
		cr_assert_not(c->powered);
		cr_assert_eq(c->fragment_512, i % 3 == 0);
		cr_assert_eq(c->aid_tag_old, i % 3 == 1);
		cr_assert_eq(c->lower_case_headers, i % 4 == 1);
		cr_assert_eq(c->agent_word_old, i % 5 == 2);
		cr_assert_eq(c->cbc_only, i % 7 == 3);
		cr_assert_eq(c->http, i != 5);
		cr_assert_eq(card_enabled(c), 0);
	}
	c = card_file_card(f, 2);
	cr_assert_str_eq(c->profiles[0].imsi, "001010000000002");
	cr_assert_eq(c->profiles[0].pol1, POL1_NO_DELETE);
	cr_assert(c->profiles[0].fallback);
	cr_assert_eq(c->profiles[0].memory, 65536);
	cr_assert_str_eq(c->profiles[1].imsi, "");
	cr_assert_eq(c->profiles[1].state, ISDP_DISABLED);
	cr_assert_eq(c->before, CARD_NONE);
	cr_assert_eq(card_key_of(c, 64, 1)->type, 0x85);
	cr_assert_eq(card_key_of(c, 1, 3)->value[0], 2 * 16 + 2);
	cr_assert_null(card_key_of(c, 2, 1));
	cr_assert_eq(c->remaining_memory, 982040);
	/* 35 + digits 19 to 30 of the EID + Luhn. */
	cr_assert_arr_eq(c->imei, ((const uint8_t[]){ 0x3A, 0x15, 0x32, 0x54, 0x76, 0x98, 0x00, 0x52 }), 8);
	cr_assert_eq(stat(w.state, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600, "it holds keys");
	check_refused(&w, "7.jsonl.state", "another simulator has it");
	card_file_close(f);
}

/* Everything that a life changes. */
static void live(struct card *c)
{
	struct aid one = fixture_aid(1);

	fixture_settle(c);
	c->commands = 3;
	c->confirmations = 4;
	c->counters[0].version = 1;
	c->counters[0].last = 0x123456789A;
	cr_assert_eq(fixture_run(c, isdr_enable_profile, &one), SW_OK);
	card_refresh(c);
	cr_assert(card_attached(c, true));
}

Test(card_state, a_pending_notification_survives_a_restart)
{
	CLEANUP(close_world) struct world w;
	struct card_file *f;
	struct card *c;
	struct notification n;

	open_world(&w);
	f = opened(&w);
	c = card_file_card(f, 3);
	live(c);
	cr_assert(card_file_save(f, c));
	card_file_close(f);
	f = opened(&w);
	c = card_file_card(f, 3);
	cr_assert_eq(c->phase, CARD_ATTACHING, "a restart is a reset");
	cr_assert(card_notification(c, &n));
	cr_assert_eq(n.type, NOTE_CHANGE_OK);
	cr_assert_eq(n.seq, 2);
	cr_assert(card_attached(c, true));
	cr_assert_eq(c->seq, 2, "it is the same one");
	cr_assert_eq(c->counters[0].last, 0x123456789A);
	cr_assert_eq(c->switches, 1);
	cr_assert_eq(c->commands, 3);
	cr_assert_eq(c->enables, 1);
	cr_assert_eq(c->disables, 0);
	cr_assert_eq(c->confirmations, 4);
	cr_assert(c->attached_once);
	cr_assert(card_unconfirmed(c));
	cr_assert_eq(card_enabled(c), 0, "it knew what to roll back to");
	cr_assert_eq(card_file_card(f, 2)->phase, CARD_OFF);
	cr_assert(card_file_save(f, c));
	card_file_close(f);
	/* Killed between the switch back and the attach. */
	f = opened(&w);
	c = card_file_card(f, 3);
	cr_assert(card_attached(c, true));
	cr_assert(card_notification(c, &n));
	cr_assert_eq(n.type, NOTE_ROLLED_BACK);
	cr_assert_eq(n.seq, 3);
	card_file_close(f);
}

/* Records from before a card counted its commands have zeros in that place: they are read as they are. */
Test(card_state, counters_stand_where_older_records_are_zero)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct card c = fixture_card(), counted = c;
	uint8_t *record = arena_alloc(a, CARD_RECORD);
	uint64_t generation;
	size_t last = CARD_RECORD;

	c.counters[CARD_COUNTERS - 1].version = 1;
	c.counters[CARD_COUNTERS - 1].last = UINT64_MAX;
	card_record_write(&c, 7, record);
	while (!record[last - 1])
		last--;
	cr_assert_leq(last + 4 * sizeof(uint64_t), CARD_RECORD);
	for (size_t i = last; i < CARD_RECORD; i++)
		cr_assert_eq(record[i], 0);
	cr_assert(card_record_read(&counted, record, &generation));
	cr_assert_eq(generation, 7);
	cr_assert_eq(counted.enables + counted.disables + counted.deletes + counted.confirmations, 0);
	c.enables = c.disables = c.deletes = c.confirmations = UINT64_MAX - 1;
	card_record_write(&c, 8, record);
	for (size_t i = last; i < last + 4 * sizeof(uint64_t); i++)
		cr_assert_neq(record[i], 0, "they stand elsewhere");
	cr_assert(card_record_read(&counted, record, &generation));
	cr_assert_eq(counted.confirmations, UINT64_MAX - 1);
}

static uint64_t commands_after(const struct world *w, const uint8_t *state, size_t n)
{
	struct card_file *f;
	uint64_t commands;

	put(w->state, state, n);
	f = opened(w);
	commands = card_file_card(f, 4)->commands;
	cr_assert_eq(card_file_card(f, 3)->commands, 0);
	cr_assert_eq(card_file_card(f, 5)->commands, 0);
	card_file_close(f);
	return commands;
}

Test(card_state, a_kill_amid_a_write_leaves_the_older_copy)
{
	CLEANUP(close_world) struct world w;
	struct card_file *f;
	struct bytes before, after;
	uint8_t *torn;
	size_t first, last, kept = 0;

	open_world(&w);
	f = opened(&w);
	card_file_card(f, 4)->commands = 1;
	cr_assert(card_file_save(f, card_file_card(f, 4)));
	before = contents(w.a, w.state);
	card_file_card(f, 4)->commands = 2;
	cr_assert(card_file_save(f, card_file_card(f, 4)));
	card_file_close(f);
	after = contents(w.a, w.state);
	cr_assert_eq(before.len, after.len);
	for (first = 0; before.data[first] == after.data[first];)
		first++;
	for (last = after.len; before.data[last - 1] == after.data[last - 1];)
		last--;
	torn = arena_memdup(w.a, before.data, before.len);
	for (size_t k = first; k < last; k += 1 + (last - first) / 20) {
		uint64_t commands;

		memcpy(torn + first, after.data + first, k - first);
		commands = commands_after(&w, torn, before.len);
		cr_assert_eq(commands, 1, "%zu bytes written: %llu", k - first, (unsigned long long)commands);
		kept++;
	}
	cr_assert_gt(kept, 10);
	cr_assert_eq(commands_after(&w, after.data, after.len), 2);
	/* The newer copy rots: the older one serves. */
	memcpy(torn, after.data, after.len);
	for (size_t k = first; k < last; k += 1 + (last - first) / 5) {
		torn[k] ^= 0x40;
		cr_assert_eq(commands_after(&w, torn, after.len), 1);
		torn[k] ^= 0x40;
	}
}

Test(card_state, what_is_not_its_state_is_refused)
{
	CLEANUP(close_world) struct world w;
	struct bytes whole;
	uint8_t *bad;

	open_world(&w);
	card_file_close(opened(&w));
	whole = contents(w.a, w.state);
	put(w.state, whole.data, whole.len - 1);
	check_refused(&w, "7.jsonl.state", "cut off");
	put(w.state, whole.data, 10);
	check_refused(&w, "7.jsonl.state", "not the state of this batch");
	put(w.state, whole.data, 0);
	check_refused(&w, "7.jsonl.state", "not the state of this batch");
	bad = arena_memdup(w.a, whole.data, whole.len);
	for (size_t i = 64; i < whole.len; i += 64)
		bad[i] ^= 1;
	put(w.state, bad, whole.len);
	check_refused(&w, "8900101201234123401234567890", "both copies are damaged");
	put(w.state, whole.data, whole.len);
	put(w.batch, batch_of(w.a, CARDS - 1), strlen(batch_of(w.a, CARDS - 1)));
	check_refused(&w, "7.jsonl.state", "not the state of this batch");
	put(w.batch, "", 0);
	check_refused(&w, "7.jsonl.state", "not the state of this batch");
	(void)unlink(w.batch);
	check_refused(&w, "7.jsonl", "No such file");
}

/* text with the first `from` of its third line replaced. */
static const char *third_line_with(struct arena *a, const char *from, const char *to)
{
	const char *text = batch_of(a, 4), *at = strchr(strchr(text, '\n') + 1, '\n') + 1;

	at = strstr(at, from);
	cr_assert_not_null(at, "%s", from);
	return arena_printf(a, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

Test(card_state, a_bad_line_is_named_with_its_member)
{
	static const struct {
		const char *from, *to, *member;
	} bad[] = {
		{ "{\"eid\"", "{\"eid\"\"", "not JSON" },
		{ "{\"eid\":\"8900", "{\"eid\":\"8901", "eid: not an EID" },
		{ "\"eid\":", "\"eix\":", "eid: missing" },
		{ "\"ecasd_key\":\"00", "\"ecasd_key\":\"", "ecasd_key: not 32 bytes" },
		{ "\"isdr_keys\":[", "\"isdr_keys\":7,\"x\":[", "isdr_keys: not a list" },
		{ "\"index\":2,", "\"index\":1,", "isdr_keys[1].index: this key comes twice" },
		{ "\"key\":\"20", "\"key\":\"21", "isdr_keys[0].kcv: not that of the key" },
		{ "\"type\":\"85\"", "\"type\":\"99\"", "isdr_keys[3].type: unknown" },
		{ "\"version\":64", "\"version\":640", "isdr_keys[3].version: not 1 to 127" },
		{ "\"iccid\":\"89", "\"iccid\":\"79", "profiles[0].iccid: not an ICCID" },
		{ "\"aid\":\"A0", "\"aid\":\"B0", "profiles[0].aid: not an AID" },
		{ "\"Enabled\"", "\"Deleted\"", "profiles[0].state: neither" },
		{ "\"Disabled\"", "\"Enabled\"", "profiles[1].state: another" },
		{ "\"fallback\":false", "\"fallback\":true", "profiles[1].fallback: another" },
		{ "\"fallback\":true", "\"fallback\":1", "profiles[0].fallback: not true or false" },
		{ "\"memory\":65536", "\"memory\":-1", "profiles[0].memory: not 0 to" },
		{ "\"imsi\":\"0", "\"imsi\":\"x", "profiles[0].imsi: not 1 to 15 digits" },
		{ "\"delete-not-allowed\"", "\"never\"", "profiles[0].pol1: an unknown rule" },
		{ "\"remaining_memory\":9", "\"remaining_memory\":99", "remaining_memory: not 0 to 1048576" },
		{ "\"http\":true", "\"http\":\"yes\"", "http: not true or false" },
	};
	CLEANUP(close_world) struct world w;

	open_world(&w);
	for (size_t i = 0; i < LEN(bad); i++) {
		const char *text = third_line_with(w.a, bad[i].from, bad[i].to);

		put(w.batch, text, strlen(text));
		check_refused(&w, "line 3: ", bad[i].member);
	}
	cr_assert_neq(access(w.state, F_OK), 0, "no state of what cannot be read");
}
