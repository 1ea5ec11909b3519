/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct secret secret_new(size_t n)
{
	struct secret s = { calloc(1, n ? n : 1), n };

	if (!s.data)
		abort();
	return s;
}

void secret_wipe(void *data, size_t n)
{
	if (data)
		explicit_bzero(data, n);
}

void secret_free(struct secret *s)
{
	secret_wipe(s->data, s->len);
	free(s->data);
	*s = (struct secret){ 0 };
}

static int secret_fill(int fd, struct secret *s)
{
	size_t at = 0;

	while (at < s->len) {
		ssize_t n = read(fd, s->data + at, s->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

int secret_read_file(const char *path, size_t max, struct secret *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct secret s;
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (st.st_mode & 077)
		rc = -EPERM;
	else if (st.st_size < 0 || (size_t)st.st_size > max)
		rc = -EFBIG;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	s = secret_new((size_t)st.st_size);
	rc = secret_fill(fd, &s);
	close(fd);
	if (rc < 0) {
		secret_free(&s);
		return rc;
	}
	*out = s;
	return 0;
}
