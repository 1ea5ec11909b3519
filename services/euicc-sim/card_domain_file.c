/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "services/euicc-sim/card_internal.h"

enum { FORMAT = 1, PATH_LEN = 4096, IMAGE_MAX = 64 << 20, DIRECTORY_MODE = 0700, FILE_MODE = 0600 };
static const char magic[8] = "RSPISDP";

/* The file in host order: this, the elements, SHA-256 of all that. */
struct image {
	char magic[8];
	uint32_t format, place;
	char eid[EID_DIGITS];
	struct card_keys keys;
	uint8_t begun, n_connectivity, connectivity[CARD_CONNECTIVITY], digest[SHA256_LEN];
	uint32_t sequence, n_elements;
	uint64_t bytes;
};

bool card_write_at(int fd, const void *data, size_t n, off_t at)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = pwrite(fd, (const uint8_t *)data + done, n - done, at + (off_t)done);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		done += (size_t)k;
	}
	return true;
}

bool card_read_at(int fd, void *out, size_t n, off_t at)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = pread(fd, (uint8_t *)out + done, n - done, at + (off_t)done);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		done += (size_t)k;
	}
	return true;
}

static bool path_of(const char *folder, const struct card *c, size_t place, uint32_t version, char out[PATH_LEN])
{
	int n = snprintf(out, PATH_LEN, "%s/%s-%zu-%u", folder, c->eid.text, place, version);

	if (n > 0 && n < PATH_LEN)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

static void file_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* False: it is not there, not whole, or not of this place. */
static bool image_read(const char *folder, const struct card *c, size_t place, struct image *out, struct secret *out_elements)
{
	CLEANUP(file_close) int fd = -1;
	CLEANUP(secret_free) struct secret all = { 0 };
	char path[PATH_LEN];
	uint8_t sum[SHA256_LEN];
	struct image *im;
	struct stat st;

	if (!path_of(folder, c, place, c->domain_versions[place], path))
		return false;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < (off_t)(sizeof(*im) + sizeof(sum)) || st.st_size > IMAGE_MAX)
		return false;
	all = secret_new((size_t)st.st_size);
	if (!card_read_at(fd, all.data, all.len, 0))
		return false;
	im = (struct image *)all.data;
	sha256(all.data, all.len - sizeof(sum), sum);
	if (memcmp(sum, all.data + all.len - sizeof(sum), sizeof(sum)) != 0 || memcmp(im->magic, magic, sizeof(magic)) != 0 ||
	    im->format != FORMAT || im->place != place || memcmp(im->eid, c->eid.text, EID_DIGITS) != 0 || im->begun > 1 ||
	    im->n_connectivity > CARD_CONNECTIVITY || im->bytes != all.len - sizeof(*im) - sizeof(sum))
		return false;
	*out_elements = secret_new(im->bytes);
	if (im->bytes)
		memcpy(out_elements->data, all.data + sizeof(*im), im->bytes);
	*out = *im;
	return true;
}

static void image_forget(struct image *im)
{
	secret_wipe(im, sizeof(*im));
}

static void image_fill(struct image *im, const struct card *c, size_t place)
{
	const struct card_domain *d = c->profiles[place].domain;

	memset(im, 0, sizeof(*im)); /* gaps too: they come to the file */
	memcpy(im->magic, magic, sizeof(magic));
	im->format = FORMAT;
	im->place = (uint32_t)place;
	memcpy(im->eid, c->eid.text, EID_DIGITS);
	im->keys = d->keys;
	im->begun = d->begun;
	im->n_connectivity = d->n_connectivity;
	memcpy(im->connectivity, d->connectivity, sizeof(im->connectivity));
	memcpy(im->digest, d->digest, sizeof(im->digest));
	im->sequence = d->sequence;
	im->n_elements = d->n_elements;
	im->bytes = d->bytes;
}

/* The elements are in memory until they were written once, then only in the file before. */
static bool elements_of(const char *folder, const struct card *c, size_t place, struct secret *out)
{
	const struct card_domain *d = c->profiles[place].domain;
	CLEANUP(image_forget) struct image im;

	if (d->elements.len == d->bytes) {
		*out = secret_new(d->bytes);
		if (d->bytes)
			memcpy(out->data, d->elements.data, d->bytes);
		return true;
	}
	memset(&im, 0, sizeof(im));
	errno = 0;
	if (image_read(folder, c, place, &im, out) && im.bytes == d->bytes)
		return true;
	errno = errno ? errno : EIO; /* it is there, and damaged */
	return false;
}

/* A version that no record names yet: whatever a kill has left of it goes. */
static bool image_write(const char *folder, const struct card *c, size_t place)
{
	CLEANUP(image_forget) struct image im;
	CLEANUP(secret_free) struct secret elements = { 0 }, all = { 0 };
	size_t at = sizeof(im) + c->profiles[place].domain->bytes;
	char path[PATH_LEN];
	int fd;
	bool ok;

	image_fill(&im, c, place);
	if (!elements_of(folder, c, place, &elements) || !path_of(folder, c, place, c->domain_versions[place] + 1, path))
		return false;
	all = secret_new(at + SHA256_LEN);
	memcpy(all.data, &im, sizeof(im));
	if (elements.len)
		memcpy(all.data + sizeof(im), elements.data, elements.len);
	sha256(all.data, at, all.data + at);
	if (mkdir(folder, DIRECTORY_MODE) != 0 && errno != EEXIST)
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return false;
	ok = card_write_at(fd, all.data, all.len, 0);
	return close(fd) == 0 && ok;
}

void card_domains_restore(struct card *c, const struct card_domains_old *old)
{
	c->domains = old->domains;
	memcpy(c->domain_versions, old->versions, sizeof(old->versions));
}

bool card_domains_write(const char *folder, struct card *c, struct card_domains_old *out_old)
{
	out_old->domains = c->domains;
	memcpy(out_old->versions, c->domain_versions, sizeof(out_old->versions));
	for (size_t i = 0; i < CARD_PROFILES; i++) {
		const struct card_domain *d = c->profiles[i].domain;
		uint16_t bit = (uint16_t)(1u << i);

		if (!d) {
			c->domains &= (uint16_t)~bit;
		} else if (d->changed) {
			if (!image_write(folder, c, i)) {
				card_domains_restore(c, out_old);
				return false;
			}
			c->domain_versions[i]++;
			c->domains |= bit;
		}
	}
	return true;
}

static void drop(const char *folder, const struct card *c, size_t place, uint32_t version)
{
	char path[PATH_LEN];

	if (path_of(folder, c, place, version, path))
		(void)unlink(path);
}

void card_domains_written(const char *folder, struct card *c, const struct card_domains_old *old)
{
	for (size_t i = 0; i < CARD_PROFILES; i++) {
		struct card_domain *d = c->profiles[i].domain;

		if (old->domains >> i & 1 && (!d || old->versions[i] != c->domain_versions[i]))
			drop(folder, c, i, old->versions[i]);
		if (!d || !d->changed)
			continue;
		d->changed = false;
		secret_free(&d->elements);
	}
}

static struct card_domain *domain_of(const struct image *im)
{
	struct card_domain *d = card_domain_new();

	d->keys = im->keys;
	d->sequence = im->sequence;
	d->begun = im->begun;
	memcpy(d->digest, im->digest, sizeof(d->digest));
	d->n_elements = im->n_elements;
	d->bytes = im->bytes;
	memcpy(d->connectivity, im->connectivity, sizeof(d->connectivity));
	d->n_connectivity = im->n_connectivity;
	return d;
}

bool card_domains_read(const char *folder, struct card *c, char why[CARD_ERROR])
{
	for (size_t i = 0; i < CARD_PROFILES; i++) {
		CLEANUP(secret_free) struct secret elements = { 0 };
		CLEANUP(image_forget) struct image im;
		uint32_t version = c->domain_versions[i];

		memset(&im, 0, sizeof(im));
		if (!version)
			continue;
		/* What a kill has left before and behind the record that named another one. */
		drop(folder, c, i, version - 1);
		drop(folder, c, i, version + 1);
		if (!(c->domains >> i & 1)) {
			drop(folder, c, i, version);
			continue;
		}
		if (!image_read(folder, c, i, &im, &elements)) {
			(void)snprintf(why, CARD_ERROR, "%.120s/%s-%zu-%u is missing or damaged", folder, c->eid.text, i, version);
			return false;
		}
		c->profiles[i].domain = domain_of(&im);
	}
	return true;
}
