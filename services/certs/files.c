/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/random.h"
#include "services/certs/certs.h"

enum { RANDOM_MAX = 64 };

bool complain(const char *what, const char *path, const char *mend)
{
	fprintf(stderr, "rsp-certs: %s: %s: %s\n", path, what, mend);
	return false;
}

char *path_in(const struct order *o, const char *folder, const char *file)
{
	return arena_printf(o->a, "%s/%s/%s", o->out, folder, file);
}

static bool folder_one(const char *path)
{
	if (mkdir(path, 0700) == 0)
		return true;
	if (errno == EEXIST) {
		struct stat st;

		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return true;
		return complain("is a file", path, "remove it, or give --out another folder");
	}
	return complain(strerror(errno), path, "give --out a folder in which you may write");
}

bool folder_make(const char *path)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char *copy = arena_strdup(a, path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		bool made;

		*slash = 0;
		made = folder_one(copy);
		*slash = '/';
		if (!made)
			return false;
	}
	return folder_one(copy);
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		data += done;
		n -= (size_t)done;
	}
	return true;
}

/* Through a file of another name, so that a killed run leaves no half key that the next one would keep. No fsync: it is a test PKI. */
bool file_write(const char *path, const void *data, size_t n)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char *temporary = arena_printf(a, "%s.new", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool written;

	if (fd < 0)
		return complain(strerror(errno), temporary, "give --out a folder in which you may write");
	written = fchmod(fd, 0600) == 0 && write_all(fd, data, n);
	if (close(fd) == 0 && written && rename(temporary, path) == 0)
		return true;
	complain(strerror(errno), path, "make room or give --out another folder");
	unlink(temporary);
	return false;
}

bool file_read(struct arena *a, const char *path, struct bytes *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data = arena_alloc(a, KEY_FILE_MAX);
	ssize_t n;

	if (fd < 0)
		return complain(strerror(errno), path, "give a file that exists and that you may read");
	n = read(fd, data, KEY_FILE_MAX);
	close(fd);
	if (n < 0)
		return complain(strerror(errno), path, "give a file that you may read");
	*out = (struct bytes){ data, (size_t)n };
	return true;
}

bool file_random(const char *path, size_t n)
{
	uint8_t key[RANDOM_MAX];
	bool done;

	if (file_exists(path))
		return true;
	random_bytes(key, n < sizeof(key) ? n : sizeof(key));
	done = file_write(path, key, n);
	secret_wipe(key, sizeof(key));
	return done;
}
