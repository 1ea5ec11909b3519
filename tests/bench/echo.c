/* SPDX-License-Identifier: Apache-2.0 */
/* The limit that GetEIS is held against (design.md 12): a bare libmicrohttpd mutual TLS server that parses each request with libxml2 and
 * answers with a document of the size given, serialised anew for each answer. Prints its port; ends on SIGTERM.
 *
 *   echo --cert F --key F --ca F --size BYTES --threads N */
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

static xmlDoc *answer;

static void require_certificate(void *cls, struct MHD_Connection *connection, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	static gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, NULL, 0 };
	const union MHD_ConnectionInfo *info;

	purpose.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT;
	if (code != MHD_CONNECTION_NOTIFY_STARTED)
		return;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_certificate_server_set_request(info->tls_session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(info->tls_session, &purpose, 1, 0);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
			      const char *data, size_t *size, void **context)
{
	struct buf *body = *context;
	struct MHD_Response *response;
	xmlChar *text = NULL;
	enum MHD_Result r;
	xmlDoc *doc;
	int n = 0;

	if (!body) {
		*context = calloc(1, sizeof(*body));
		return *context ? MHD_YES : MHD_NO;
	}
	if (*size) {
		buf_add(body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	doc = xmlReadMemory(body->data, (int)body->len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlFreeDoc(doc);
	xmlDocDumpMemory(answer, &text, &n);
	response = MHD_create_response_from_buffer((size_t)n, text, MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, "Content-Type", "application/soap+xml; charset=utf-8");
	r = MHD_queue_response(connection, doc ? 200 : 400, response);
	MHD_destroy_response(response);
	return r;
}

static void completed(void *cls, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
	struct buf *body = *context;

	if (body)
		buf_free(body);
	free(body);
	*context = NULL;
}

static char *file_text(const char *path)
{
	struct buf text = { 0 };
	char piece[4096];
	size_t n;
	FILE *f = fopen(path, "re");

	if (!f) {
		perror(path);
		exit(1);
	}
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&text, piece, n);
	fclose(f);
	return text.data;
}

/* Elements as an EIS has them: about as much markup as text. */
static void answer_make(size_t size)
{
	static const char name[] = "ProcessingStart", value[] = "2026-01-15T09:30:00.000000Z";
	static const size_t element = 2 * sizeof(name) + sizeof(value) + 2;
	xmlNode *root;

	answer = xmlNewDoc(BAD_CAST "1.0");
	root = xmlNewNode(NULL, BAD_CAST "EIS");
	xmlDocSetRootElement(answer, root);
	xmlNewTextChild(root, NULL, BAD_CAST "Status", BAD_CAST "EXECUTED_SUCCESS");
	for (size_t n = 0; n + element <= size; n += element)
		xmlNewTextChild(root, NULL, BAD_CAST name, BAD_CAST value);
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "cert", required_argument, NULL, 'c' },    { "key", required_argument, NULL, 'k' },
					       { "ca", required_argument, NULL, 't' },	    { "size", required_argument, NULL, 's' },
					       { "threads", required_argument, NULL, 'n' }, { 0 } };
	char *cert = NULL, *key = NULL, *ca = NULL;
	unsigned threads = 2;
	struct MHD_Daemon *daemon;
	sigset_t stop;
	int signal_number;

	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (c == 'c')
			cert = file_text(optarg);
		else if (c == 'k')
			key = file_text(optarg);
		else if (c == 't')
			ca = file_text(optarg);
		else if (c == 's')
			answer_make(strtoul(optarg, NULL, 10));
		else if (c == 'n')
			threads = (unsigned)atoi(optarg);
	}
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS, 0, NULL, NULL, handle, NULL, MHD_OPTION_HTTPS_MEM_CERT, cert,
				  MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_HTTPS_MEM_TRUST, ca, MHD_OPTION_HTTPS_PRIORITIES,
				  "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:+SHA256:+SHA384", MHD_OPTION_THREAD_POOL_SIZE, threads,
				  MHD_OPTION_NOTIFY_CONNECTION, require_certificate, NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
				  MHD_OPTION_END);
	if (!daemon || !answer)
		return 1;
	printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	(void)fflush(stdout);
	sigwait(&stop, &signal_number);
	MHD_stop_daemon(daemon);
	xmlFreeDoc(answer);
	free(cert);
	free(key);
	free(ca);
	return 0;
}
