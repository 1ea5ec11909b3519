/* SPDX-License-Identifier: Apache-2.0 */
/* What is reached from outside: four listeners with pools of their own, and the file that names their ports. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/app/app_internal.h"
#include "common/base/clock.h"

enum {
	LOCAL_THREADS = 2,
	LOCAL_CONNECTIONS = 64,
	ADMIN_BODY_MAX = 32 << 20, /* a batch of 200,000 ICCIDs */
	NORTHBOUND_BODY_MAX = 1 << 20,
	MANAGEMENT_BODY_MAX = 4096
};

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

/* Whole seconds that are left of the drain; 0 when none is under way. */
static unsigned grace_s(const struct process *p)
{
	int64_t left = p->drain_until_ms - clock_ms();

	return p->drain_until_ms && left > 0 ? (unsigned)((left + 999) / 1000) : 0;
}

static void listener_set(struct process *p, struct http_server **place, struct http_server *server)
{
	pthread_mutex_lock(&p->lock);
	*place = server;
	pthread_mutex_unlock(&p->lock);
}

/* port_key: what sets its port. */
static int listener_open(struct process *p, const struct http_spec *spec, const char *port_key, struct http_server **place,
			 char error[ERROR_MAX])
{
	struct http_server *server = http_server_open(spec, error);
	size_t n = server ? 0 : strlen(error);

	listener_set(p, place, server);
	if (!server && spec->bind_address && strstr(error, spec->bind_address))
		(void)snprintf(error + n, ERROR_MAX - n, " (%s%s)", p->app.spec->env_prefix, port_key);
	return server ? 0 : -1;
}

static void listener_close(struct process *p, struct http_server **place)
{
	struct http_server *server = *place;

	listener_set(p, place, NULL);
	http_server_close(server, grace_s(p));
}

static void address_free(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

/* Binds a socket to the address and any free port and keeps it, without listening: nobody else is given the port meanwhile. */
static int reserve(const char *address, uint16_t *out_port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	CLEANUP(address_free) struct addrinfo *list = NULL;
	struct sockaddr_storage bound;
	socklen_t n = sizeof(bound);
	int fd, on = 1;

	if (getaddrinfo(address, "0", &hints, &list) != 0)
		return -EINVAL;
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, list->ai_addr, list->ai_addrlen) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &n) < 0) {
		int rc = -errno;

		(void)close(fd);
		return rc;
	}
	if (bound.ss_family == AF_INET6)
		*out_port = ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
	else
		*out_port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	return fd;
}

/* wsa:From holds our address, so that it must be known before the outbox sends, which is before the partner listener is up. */
int address_open(struct process *p, char error[ERROR_MAX])
{
	const struct config_common *config = p->app.config;
	const char *open = strchr(config->listen, ':') ? "[" : "", *close = *open ? "]" : "";

	p->partner_port = (uint16_t)config->port;
	if (!config->port) {
		p->reserved_fd = reserve(config->listen, &p->partner_port);
		if (p->reserved_fd < 0) {
			(void)snprintf(error, ERROR_MAX, "no port on %s: %s; give an address of this host (%sLISTEN)",
				       config->listen, strerror(-p->reserved_fd), p->app.spec->env_prefix);
			return -1;
		}
	}
	if (*config->public_url)
		(void)snprintf(p->self_url, sizeof(p->self_url), "%s", config->public_url);
	else
		(void)snprintf(p->self_url, sizeof(p->self_url), "https://%s%s%s:%u", open, config->listen, close,
			       (unsigned)p->partner_port);
	for (size_t n = strlen(p->self_url); n > 0 && p->self_url[n - 1] == '/'; n--)
		p->self_url[n - 1] = '\0'; /* paths are appended with their slash */
	return 0;
}

void address_close(struct process *p)
{
	if (p->reserved_fd >= 0)
		(void)close(p->reserved_fd);
	p->reserved_fd = -1;
}

int partner_open(struct process *p, char error[ERROR_MAX])
{
	const struct config_common *config = p->app.config;
	struct http_spec spec = {
		.name = "partner",
		.security = HTTP_MUTUAL_TLS,
		.bind_address = config->listen,
		.port = p->partner_port,
		.cert_file = config->tls_server_cert,
		.key_file = config->tls_server_key,
		.trust_file = config->tls_ca,
		.crl_file = or_null(config->tls_crl),
		.threads = config->threads,
		.connections = config->connections,
		.idle_s = config->idle_s,
		.request_s = config->request_s,
		.lifetime_s = config->lifetime_s,
		.max_body = BODY_MAX,
		.thread_open = pipeline_thread_open,
		.thread_close = pipeline_thread_close,
		.handlers = pipeline_handlers,
		.ctx = &p->app.rpc,
	};
	int rc = listener_open(p, &spec, "PORT", &p->app.partner, error);

	address_close(p); /* the listener holds the port now */
	return rc;
}

void partner_close(struct process *p)
{
	listener_close(p, &p->app.partner);
}

int extra_open(struct process *p, char error[ERROR_MAX])
{
	struct http_server *server = NULL;
	int rc = p->app.spec->extra_open ? p->app.spec->extra_open(&p->app, &server, error) : 0;

	if (rc == 0)
		listener_set(p, &p->app.extra, server);
	return rc;
}

void extra_close(struct process *p)
{
	listener_close(p, &p->app.extra);
}

static struct http_spec pool_spec(struct process *p, const char *name, void (*handle)(void *ctx, struct http_call *call))
{
	return (struct http_spec){
		.name = name,
		.threads = LOCAL_THREADS,
		.connections = LOCAL_CONNECTIONS,
		.thread_open = pool_thread_open,
		.thread_close = pool_thread_close,
		.handlers = { .handle = handle },
		.ctx = p,
	};
}

int northbound_open(struct process *p, char error[ERROR_MAX])
{
	const struct config_common *config = p->app.config;
	struct http_spec spec = pool_spec(p, "northbound", northbound_handle);
	bool own = *config->northbound_cert;

	if (!p->app.spec->northbound)
		return 0;
	spec.security = HTTP_TLS;
	spec.bind_address = *config->northbound_listen ? config->northbound_listen : "127.0.0.1";
	spec.port = (uint16_t)config->northbound_port;
	spec.cert_file = own ? config->northbound_cert : config->tls_server_cert;
	spec.key_file = own ? config->northbound_key : config->tls_server_key;
	spec.threads = config->northbound_threads;
	spec.connections = config->connections;
	spec.idle_s = config->idle_s;
	spec.request_s = config->request_s;
	spec.lifetime_s = config->lifetime_s;
	spec.max_body = NORTHBOUND_BODY_MAX;
	return listener_open(p, &spec, "NORTHBOUND_PORT", &p->app.northbound, error);
}

void northbound_close(struct process *p)
{
	listener_close(p, &p->app.northbound);
}

int management_open(struct process *p, char error[ERROR_MAX])
{
	struct http_spec spec = pool_spec(p, "management", management_handle);

	spec.bind_address = p->app.config->management_listen;
	spec.port = (uint16_t)p->app.config->management_port;
	spec.max_body = MANAGEMENT_BODY_MAX;
	return listener_open(p, &spec, "MANAGEMENT_PORT", &p->app.management, error);
}

void management_close(struct process *p)
{
	listener_close(p, &p->app.management);
}

int admin_open(struct process *p, char error[ERROR_MAX])
{
	struct http_spec spec = pool_spec(p, "admin", admin_handle);

	if (!*p->app.config->admin_socket)
		return 0;
	spec.unix_path = p->app.config->admin_socket;
	spec.max_body = ADMIN_BODY_MAX;
	return listener_open(p, &spec, "ADMIN_SOCKET", &p->app.admin, error);
}

void admin_close(struct process *p)
{
	listener_close(p, &p->app.admin);
}

static void file_closep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static bool ports_write(const struct process *p, const char *path)
{
	CLEANUP(file_closep) FILE *f = fopen(path, "we");
	FILE *written;

	if (!f)
		return false;
	(void)fprintf(f, "{\"partner\":%u,\"management\":%u", (unsigned)http_server_port(p->app.partner),
		      (unsigned)http_server_port(p->app.management));
	if (p->app.northbound)
		(void)fprintf(f, ",\"northbound\":%u", (unsigned)http_server_port(p->app.northbound));
	if (p->app.extra)
		(void)fprintf(f, ",\"%s\":%u", p->app.spec->extra_name, (unsigned)http_server_port(p->app.extra));
	(void)fprintf(f, "}\n");
	written = f;
	f = NULL;
	return !ferror(written) & (fclose(written) == 0);
}

/* Renamed into place: who waits for the file never reads half of it. */
int port_file_open(struct process *p, char error[ERROR_MAX])
{
	const char *path = p->app.config->port_file;
	CLEANUP(buf_free) struct buf other = { 0 };

	if (!*path)
		return 0;
	buf_printf(&other, "%s.new", path);
	if (ports_write(p, other.data) && rename(other.data, path) == 0)
		return 0;
	(void)snprintf(error, ERROR_MAX, "%s cannot be written: %s (%sPORT_FILE)", path, strerror(errno), p->app.spec->env_prefix);
	(void)unlink(other.data);
	return -1;
}

/* Gone with the listeners: else it would name ports that somebody else has by then. */
void port_file_close(struct process *p)
{
	if (*p->app.config->port_file)
		(void)unlink(p->app.config->port_file);
}
