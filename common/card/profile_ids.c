/* SPDX-License-Identifier: Apache-2.0 */
/* File identifiers of a package: unique in their directory, none that is reserved. What a template gives a file is not known here: only what the
 * package says itself is compared. */
#include <stdlib.h>
#include <string.h>

#include "common/card/profile_file.h"
#include "common/card/profile_internal.h"

enum { ID_LEN = 2, ENTRIES_FIRST = 64 };

/* A directory: the path from the MF, or, where the package does not give its identifier, a number of its own. */
struct directory {
	unsigned unknown; /* 0: the path says which */
	uint8_t path[PROFILE_PATH_MAX];
	size_t len;
};

/* A file that is created. */
struct entry {
	struct directory in;
	uint8_t id[ID_LEN];
	size_t element, seq;
	const char *name;
};

struct ids {
	struct arena *a;
	const struct profile_package *p;
	struct profile_fault *fault;
	struct entry *list;
	size_t n, cap;
	unsigned unknowns;
	struct directory of[PE_UNKNOWN + 1]; /* where the optional files of an application go */
};

static const struct directory mf;

static bool bad(struct ids *s, size_t element, const char *name, const char *what)
{
	s->fault->index = element;
	return pe_refuse(s->fault, &s->p->elements[element], name ? name : "fileID", what, PE_STATUS_BAD_VALUES);
}

static void add(struct ids *s, const struct directory *in, const struct profile_file *f, size_t element)
{
	struct entry *e;

	if (s->n == s->cap) {
		struct entry *more = arena_array(s->a, s->cap ? 2 * s->cap : ENTRIES_FIRST, sizeof(*more));

		if (s->n)
			memcpy(more, s->list, s->n * sizeof(*more));
		s->list = more;
		s->cap = s->cap ? 2 * s->cap : ENTRIES_FIRST;
	}
	e = &s->list[s->n];
	*e = (struct entry){ .in = *in, .element = element, .seq = s->n, .name = f->name };
	memcpy(e->id, f->fcp.file_id.data, ID_LEN);
	s->n++;
}

/* The one below with f's identifier. */
static struct directory below(struct ids *s, const struct directory *in, const struct profile_file *f)
{
	struct directory d = *in;

	if (in->unknown || f->fcp.file_id.len != ID_LEN || in->len + ID_LEN > sizeof(d.path))
		return (struct directory){ .unknown = ++s->unknowns };
	memcpy(d.path + d.len, f->fcp.file_id.data, ID_LEN);
	d.len += ID_LEN;
	return d;
}

/* ETSI TS 102 221 8.6: the MF, the current application, and two that are for nobody. */
static bool reserved(const struct profile_file *f, bool application)
{
	unsigned id = (unsigned)f->fcp.file_id.data[0] << 8 | f->fcp.file_id.data[1];

	return id == 0x3F00 || id == 0x3FFF || id == 0xFFFF || (id == 0x7FFF && !application);
}

static bool take(struct ids *s, const struct directory *in, const struct profile_file *f, size_t element, bool application)
{
	if (f->fcp.file_id.len != ID_LEN)
		return true;
	if (reserved(f, application))
		return bad(s, element, f->name, "a file identifier that is reserved");
	add(s, in, f, element);
	return true;
}

/* Which application's directory the files of this kind are in; PE_HEADER: the MF's. */
static enum pe_kind application_of(enum pe_kind kind)
{
	switch ((int)kind) {
	case PE_OPT_USIM:
	case PE_PHONEBOOK:
	case PE_GSM_ACCESS:
	case PE_DF_5GS:
	case PE_DF_SAIP:
	case PE_DF_SNPN:
	case PE_DF_5GPROSE:
		return PE_USIM;
	case PE_OPT_ISIM:
		return PE_ISIM;
	case PE_OPT_CSIM:
		return PE_CSIM;
	case PE_OPT_IOT:
		return PE_IOT;
	default:
		return PE_HEADER;
	}
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/* The MF and applications, and DF.TELECOM, have all that follows in them; other directories what follows up to the next one. */
static bool template_files(struct ids *s, size_t element, const struct profile_file *files, size_t n)
{
	enum pe_kind kind = s->p->elements[element].kind, application = application_of(kind);
	struct directory base = s->of[application], in = base;

	/* EAP's directory may be any application's. */
	if (kind == PE_EAP)
		in = base = (struct directory){ .unknown = ++s->unknowns };
	for (size_t i = 0; i < n; i++) {
		const struct profile_file *f = &files[i];
		bool adf = begins(f->name, "adf-"), telecom = !strcmp(f->name, "df-telecom");

		if (!strcmp(f->name, "mf"))
			continue;
		if (!take(s, adf ? &mf : begins(f->name, "df-") ? &base : &in, f, element, adf))
			return false;
		if (adf || telecom)
			in = base = below(s, &mf, f);
		else if (begins(f->name, "df-"))
			in = below(s, &base, f);
	}
	if (application == PE_HEADER)
		s->of[kind] = base;
	return true;
}

/* Behind a directory that was made it may be the current one: what follows there without another path is not judged. */
static bool managed_files(struct ids *s, size_t element, const struct profile_file *files, size_t n)
{
	struct directory in = { 0 };
	bool entered = false;

	for (size_t i = 0; i < n; i++) {
		const struct profile_file *f = &files[i];

		if (f->path_len != in.len || memcmp(f->path, in.path, in.len) != 0)
			entered = false;
		in = (struct directory){ .len = f->path_len };
		memcpy(in.path, f->path, f->path_len);
		if (!f->has_fcp)
			continue;
		if (!entered && !take(s, &in, f, element, false))
			return false;
		entered = entered || profile_file_is_directory(f);
	}
	return true;
}

static int by_directory(const void *x, const void *y)
{
	const struct entry *l = x, *r = y;
	int d;

	if (l->in.unknown != r->in.unknown)
		return l->in.unknown < r->in.unknown ? -1 : 1;
	if (l->in.len != r->in.len)
		return l->in.len < r->in.len ? -1 : 1;
	d = memcmp(l->in.path, r->in.path, l->in.len);
	return d ? d : memcmp(l->id, r->id, ID_LEN);
}

static int by_all(const void *x, const void *y)
{
	const struct entry *l = x, *r = y;
	int d = by_directory(x, y);

	return d ? d : l->seq < r->seq ? -1 : l->seq > r->seq;
}

static bool unique(struct ids *s)
{
	const struct entry *first = NULL;

	if (s->n)
		qsort(s->list, s->n, sizeof(*s->list), by_all);
	for (size_t i = 1; i < s->n; i++)
		if (!by_directory(&s->list[i - 1], &s->list[i]) && (!first || s->list[i].seq < first->seq))
			first = &s->list[i];
	return !first || bad(s, first->element, first->name, "its directory has a file of this identifier already");
}

bool pe_file_ids_ok(struct arena *a, const struct profile_package *p, struct profile_fault *out_fault)
{
	struct ids s = { .a = a, .p = p, .fault = out_fault };
	struct profile_file *files;
	size_t n;

	for (size_t i = 0; i < p->n; i++) {
		const struct pe_field *description = pe_describe(p->elements[i].kind);
		bool managed = p->elements[i].kind == PE_GENERIC_FILE_MANAGEMENT;

		if (!managed && !(description && description->type == ASN_FILES))
			continue;
		out_fault->index = i;
		if (!profile_files_decode(a, &p->elements[i], &files, &n, out_fault) ||
		    !(managed ? managed_files(&s, i, files, n) : template_files(&s, i, files, n)))
			return false;
	}
	return unique(&s);
}
