/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/profile_file.h"

#include <string.h>

#include "common/card/profile_internal.h"

enum { DESCRIPTOR_DIRECTORY = 0x38, DESCRIPTOR_TYPE = 0x3F, FILL = 0xFF };

struct fcp_wire {
	struct profile_fcp fcp;
	struct profile_fcp *proprietary;
};
static const struct tlv_field proprietary_rows[] = {
	{ TLV_ROW(0xC0, TLV_BYTES, TLV_OPTIONAL, struct profile_fcp, special) },
	{ TLV_ROW(0xC1, TLV_BYTES, TLV_OPTIONAL, struct profile_fcp, fill_pattern) },
	{ TLV_ROW(0xC2, TLV_BYTES, TLV_OPTIONAL, struct profile_fcp, repeat_pattern) },
	{ TLV_ROW(0x86, TLV_BYTES, TLV_OPTIONAL, struct profile_fcp, maximum_size) },
	{ TLV_ROW(0x84, TLV_BYTES, TLV_OPTIONAL, struct profile_fcp, details) },
	{ 0 },
};
static const struct tlv_group proprietary_group = { sizeof(struct profile_fcp), proprietary_rows };
static const struct tlv_field fcp_rows[] = {
	{ TLV_ROW(0x82, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.descriptor) },
	{ TLV_ROW(0x83, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.file_id) },
	{ TLV_ROW(0x84, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.df_name) },
	{ TLV_ROW(0x8A, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.lcsi) },
	{ TLV_ROW(0x8B, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.security) },
	{ TLV_ROW(0x80, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.size) },
	{ TLV_ROW(0xC6, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.pin_status) },
	{ TLV_ROW(0x88, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.short_id) },
	{ TLV_ROW_GROUP(0xA5, TLV_OPTIONAL, struct fcp_wire, proprietary, &proprietary_group) },
	{ TLV_ROW(0xC7, TLV_BYTES, TLV_OPTIONAL, struct fcp_wire, fcp.link) },
	{ 0 },
};
static const struct tlv_group fcp_group = { sizeof(struct fcp_wire), fcp_rows };

/* What is collected while the walk goes through an element. */
struct files {
	struct arena *a;
	struct profile_file *list;
	size_t n, cap;
	bool template_element;
	uint8_t path[PROFILE_PATH_MAX];
	size_t path_len;
	const char *why;
};

static struct profile_file *new_file(struct files *fs, const char *name)
{
	struct profile_file *f;

	if (fs->n == fs->cap) {
		struct profile_file *more = arena_array(fs->a, fs->cap ? 2 * fs->cap : 16, sizeof(*more));

		if (fs->n)
			memcpy(more, fs->list, fs->n * sizeof(*more));
		fs->list = more;
		fs->cap = fs->cap ? 2 * fs->cap : 16;
	}
	f = &fs->list[fs->n++];
	f->name = name;
	memcpy(f->path, fs->path, fs->path_len);
	f->path_len = fs->path_len;
	return f;
}

static void take_fcp(struct files *fs, struct profile_file *f, struct bytes value)
{
	struct tlv_fault fault = { 0 };
	struct fcp_wire w;

	if (f->has_fcp)
		fs->why = "has two file descriptors";
	if (!tlv_decode_fault(fs->a, &fcp_group, value, &w, &fault)) {
		fs->why = fault.what;
		return;
	}
	f->has_fcp = true;
	f->fcp = w.fcp;
	if (w.proprietary) {
		f->fcp.special = w.proprietary->special;
		f->fcp.fill_pattern = w.proprietary->fill_pattern;
		f->fcp.repeat_pattern = w.proprietary->repeat_pattern;
		f->fcp.maximum_size = w.proprietary->maximum_size;
		f->fcp.details = w.proprietary->details;
	}
}

static void add_fill(struct files *fs, struct profile_file *f, struct bytes data)
{
	size_t n = f->n_fills;

	if (!(n & (n - 1))) { /* the list grows when it is full: at 0, 1, 2, 4, 8 ... */
		struct profile_fill *more = arena_array(fs->a, n ? 2 * n : 1, sizeof(*more));

		if (n)
			memcpy(more, f->fills, n * sizeof(*more));
		f->fills = more;
	}
	f->fills[f->n_fills++] = (struct profile_fill){ f->end, data };
	f->end += data.len;
}

static void skip(struct files *fs, struct profile_file *f, struct bytes number)
{
	uint64_t n = 0;

	if (!der_number(number, &n))
		fs->why = "no offset";
	f->end += (size_t)n;
	if (f->end > PROFILE_FILE_SIZE_MAX)
		fs->why = "fills beyond what a file can hold";
}

static struct profile_file *current(struct files *fs)
{
	return fs->n ? &fs->list[fs->n - 1] : new_file(fs, NULL);
}

static void on_template(struct files *fs, const struct pe_field *f, const struct tlv *t)
{
	struct profile_file *file;

	if (f->sub == PE_FILE_FIELDS) {
		new_file(fs, f->name);
		return;
	}
	if (f < PE_FILE_FIELDS || f >= PE_FILE_FIELDS + 4)
		return;
	file = current(fs);
	switch (f->tag) {
	case 0x80:
		file->do_not_create = true;
		return;
	case 0xA1:
		take_fcp(fs, file, t->value);
		return;
	case 0x82:
		skip(fs, file, t->value);
		return;
	default:
		add_fill(fs, file, t->value);
	}
}

static void on_command(struct files *fs, const struct tlv *t, unsigned depth)
{
	if (depth != 2)
		return;
	switch (t->tag) {
	case 0x80:
		/* what follows may create files there or fill the one that the path names */
		fs->path_len = t->value.len;
		if (t->value.len)
			memcpy(fs->path, t->value.data, t->value.len);
		new_file(fs, NULL);
		return;
	case 0x62:
		take_fcp(fs, new_file(fs, NULL), t->value);
		return;
	case 0x02:
		skip(fs, current(fs), t->value);
		return;
	case 0x81:
		add_fill(fs, current(fs), t->value);
		return;
	default:
		return;
	}
}

static void on_visit(void *data, const struct pe_field *f, const struct tlv *t, unsigned depth, bool leaving)
{
	struct files *fs = data;

	if (leaving || !f || fs->why)
		return;
	if (fs->template_element)
		on_template(fs, f, t);
	else
		on_command(fs, t, depth);
}

/* A path that only led to files created below it is no file. */
static void drop_empty(struct files *fs)
{
	size_t kept = 0;

	for (size_t i = 0; i < fs->n; i++)
		if (fs->list[i].name || fs->list[i].has_fcp || fs->list[i].n_fills)
			fs->list[kept++] = fs->list[i];
	fs->n = kept;
}

bool profile_files_decode(struct arena *a, const struct profile_element *e, struct profile_file **out, size_t *out_n,
			  struct profile_fault *out_fault)
{
	const struct pe_field *description = pe_describe(e->kind);
	struct files fs = { .a = a, .template_element = description && description->type == ASN_FILES };
	struct profile_fault fault = { .index = out_fault->index };

	if (description && (fs.template_element || e->kind == PE_GENERIC_FILE_MANAGEMENT) &&
	    !pe_walk(description, e->value, on_visit, &fs, &fault))
		return pe_refuse(out_fault, e, fault.field, fault.what, fault.status);
	if (fs.why)
		return pe_refuse(out_fault, e, current(&fs)->name, fs.why, PE_STATUS_BAD_VALUES);
	drop_empty(&fs);
	*out = fs.list;
	*out_n = fs.n;
	return true;
}

bool profile_file_find(struct arena *a, const struct profile_element *e, const char *name, struct profile_file *out,
		       struct profile_fault *out_fault)
{
	struct profile_file *list;
	size_t n;

	*out_fault = (struct profile_fault){ .index = out_fault->index };
	if (!profile_files_decode(a, e, &list, &n, out_fault))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (list[i].name && !strcmp(list[i].name, name)) {
			*out = list[i];
			return true;
		}
	}
	return false;
}

bool profile_file_is_directory(const struct profile_file *f)
{
	return f->fcp.descriptor.len && (f->fcp.descriptor.data[0] & DESCRIPTOR_TYPE) == DESCRIPTOR_DIRECTORY;
}

static size_t number(struct bytes in)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len && i < 4; i++)
		n = n << 8 | in.data[i];
	return n;
}

size_t profile_file_size(const struct profile_file *f)
{
	if (profile_file_is_directory(f) || f->fcp.link.len)
		return 0;
	if (f->fcp.size.len)
		return number(f->fcp.size);
	return f->fcp.maximum_size.len ? number(f->fcp.maximum_size) : f->end;
}

bool profile_file_content(struct buf *out, const struct profile_file *f)
{
	size_t size = profile_file_size(f), at = out->len;
	struct bytes fill = f->fcp.fill_pattern, repeat = f->fcp.repeat_pattern;
	uint8_t *content;

	if (size > PROFILE_FILE_SIZE_MAX || f->end > size)
		return false;
	buf_reserve(out, size);
	content = (uint8_t *)out->data + at;
	for (size_t i = 0; i < size; i++) {
		if (repeat.len)
			content[i] = repeat.data[i % repeat.len];
		else
			content[i] = fill.len ? fill.data[i < fill.len ? i : fill.len - 1] : FILL;
	}
	for (size_t i = 0; i < f->n_fills; i++)
		if (f->fills[i].data.len)
			memcpy(content + f->fills[i].at, f->fills[i].data.data, f->fills[i].data.len);
	out->len = at + size;
	out->data[out->len] = '\0';
	return true;
}

static uint8_t swapped(uint8_t b)
{
	return (uint8_t)(b << 4 | b >> 4);
}

void profile_iccid_bytes(const struct iccid *iccid, uint8_t out_header[10], uint8_t out_ef[10])
{
	size_t n = strlen(iccid->text);

	for (size_t i = 0; i < 10; i++) {
		unsigned high = 2 * i < n ? (unsigned)(iccid->text[2 * i] - '0') : 0xF;
		unsigned low = 2 * i + 1 < n ? (unsigned)(iccid->text[2 * i + 1] - '0') : 0xF;

		out_header[i] = (uint8_t)(high << 4 | low);
		out_ef[i] = swapped(out_header[i]);
	}
}

/* The first half-byte behind the length: 1 when the number of digits is odd, and the type of identity IMSI (001). */
enum { IMSI_EVEN = 0x1, IMSI_ODD = 0x9, IMSI_FILE = 9, IMSI_SHORTEST = 6 };

bool profile_imsi_bytes(const char *imsi, uint8_t out[9])
{
	size_t n = strlen(imsi);
	uint8_t made[IMSI_FILE];

	if (n < IMSI_SHORTEST || n > IMSI_MAX || strspn(imsi, "0123456789") != n)
		return false;
	memset(made, FILL, sizeof(made));
	made[0] = (uint8_t)((n + 2) / 2);
	made[1] = (uint8_t)((imsi[0] - '0') << 4 | (n % 2 ? IMSI_ODD : IMSI_EVEN));
	for (size_t i = 1; i < n; i++) {
		uint8_t digit = (uint8_t)(imsi[i] - '0'), *at = &made[1 + (i + 1) / 2];

		*at = (i + 1) % 2 ? (uint8_t)((*at & 0x0F) | digit << 4) : (uint8_t)((*at & 0xF0) | digit);
	}
	memcpy(out, made, sizeof(made));
	return true;
}

bool profile_imsi_text(struct bytes ef, char out[IMSI_MAX + 1])
{
	char text[IMSI_MAX + 1] = "";
	size_t n = 0, half;

	if (ef.len < 2 || ef.data[0] < 1 || ef.data[0] > IMSI_FILE - 1 || ef.data[0] >= ef.len)
		return false;
	half = 2 * (size_t)ef.data[0] - ((ef.data[1] & 0x8) ? 1 : 2);
	for (size_t i = 0; i < half; i++) {
		uint8_t b = ef.data[1 + (i + 1) / 2], digit = (i + 1) % 2 ? b >> 4 : b & 0xF;

		if (digit > 9)
			return false;
		text[n++] = (char)('0' + digit);
	}
	if (n < IMSI_SHORTEST)
		return false;
	memcpy(out, text, sizeof(text));
	return true;
}
