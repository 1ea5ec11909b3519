/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options anywhere, one table of commands. */
#include <stdio.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

static const struct {
	const char *name, *value, *env, *text;
} options[OPT_COUNT] = {
#define OPTION(id, name, value, env, text) { name, value, env, text },
#include "services/operator-gateway/rspctl/options.def"
#undef OPTION
};

const char *option_word(enum option o)
{
	return options[o].name + 2;
}

static int find_option(const char *name, size_t n)
{
	for (int i = 0; i < OPT_COUNT; i++)
		if (strlen(options[i].name) == n && !strncmp(options[i].name, name, n))
			return i;
	return -1;
}

/* Takes the option at argv[*at]; false: error is set. "--name value" and "--name=value". */
static bool take_option(unsigned argc, const char *const *argv, unsigned *at, struct ctl *c, uint64_t *given, char error[256])
{
	const char *text = argv[*at], *equals = strchr(text, '=');
	int i = find_option(text, equals ? (size_t)(equals - text) : strlen(text));

	if (i < 0) {
		snprintf(error, 256, "%s: there is no such option; --help lists them", text);
		return false;
	}
	*given |= UINT64_C(1) << i;
	if (!options[i].value) {
		if (equals)
			snprintf(error, 256, "%s takes no value", options[i].name);
		c->option[i] = "yes";
		return !equals;
	}
	if (!equals && *at + 1 == argc) {
		snprintf(error, 256, "%s: its %s is missing", options[i].name, options[i].value);
		return false;
	}
	c->option[i] = equals ? equals + 1 : argv[++*at];
	return true;
}

static const char *environment(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=' && (*env)[n + 1])
			return *env + n + 1;
	return NULL;
}

/* How many of words stand at the head of args; 0: not this command. */
static unsigned words_match(const char *words, const char *const *args, unsigned n_args)
{
	unsigned n = 0;

	while (*words) {
		size_t len = strcspn(words, " ");

		if (n == n_args || strlen(args[n]) != len || strncmp(args[n], words, len))
			return 0;
		n++;
		words += len + strspn(words + len, " ");
	}
	return n;
}

static const struct command *find_command(const struct command *commands, struct ctl *c)
{
	const struct command *best = NULL;
	unsigned best_n = 0;

	for (; commands->words; commands++) {
		unsigned n = words_match(commands->words, c->args, c->n_args);

		if (n > best_n) {
			best = commands;
			best_n = n;
		}
	}
	c->args += best_n;
	c->n_args -= best_n;
	return best;
}

_Static_assert(OPT_COUNT <= 64, "a command's options are bits of one number");

static bool check(const struct command *cmd, struct ctl *c, uint64_t given, const char *const *env, char error[256])
{
	uint64_t known = cmd->needs | cmd->may | OPT(JSON) | OPT(HELP);

	if (c->n_args < cmd->min || c->n_args > cmd->max) {
		snprintf(error, 256, "usage: rspctl %s %s", cmd->words, cmd->args);
		return false;
	}
	for (int i = 0; i < OPT_COUNT; i++) {
		if (given & ~known & UINT64_C(1) << i && !options[i].env) {
			snprintf(error, 256, "%s means nothing for %s", options[i].name, cmd->words);
			return false;
		}
		if (!c->option[i] && options[i].env)
			c->option[i] = environment(env, options[i].env);
		if (cmd->needs & UINT64_C(1) << i && !c->option[i]) {
			snprintf(error, 256, "%s needs %s %s%s%s: %s", cmd->words, options[i].name,
				 options[i].value ? options[i].value : "", options[i].env ? " or " : "",
				 options[i].env ? options[i].env : "", options[i].text);
			return false;
		}
	}
	return true;
}

int command_parse(const struct command *commands, unsigned argc, const char *const *argv, const char *const *env, struct ctl *c,
		  const struct command **out_command, bool *out_help, char error[256])
{
	const char **args = arena_array(c->arena, argc + 1, sizeof(*args));
	const struct command *cmd;
	uint64_t given = 0;
	bool only_args = false;

	c->args = args;
	for (unsigned i = 1; i < argc; i++) /* before anything can be wrong: errors are to be JSON, too */
		c->json = c->json || !strcmp(argv[i], "--json");
	for (unsigned i = 1; i < argc; i++) {
		if (only_args || strncmp(argv[i], "--", 2))
			args[c->n_args++] = argv[i];
		else if (!argv[i][2])
			only_args = true;
		else if (!take_option(argc, argv, &i, c, &given, error))
			return EXIT_USAGE;
	}
	c->json = c->option[OPT_JSON] != NULL;
	*out_help = c->option[OPT_HELP];
	if (*out_help)
		return EXIT_OK;
	cmd = find_command(commands, c);
	if (!cmd) {
		snprintf(error, 256, "%.100s: there is no such command; --help lists them", c->n_args ? c->args[0] : "(none)");
		return EXIT_USAGE;
	}
	if (!check(cmd, c, given, env, error))
		return EXIT_USAGE;
	*out_command = cmd;
	return EXIT_OK;
}

static void help_option(int i, struct buf *out)
{
	char head[64];

	snprintf(head, sizeof(head), "%s%s%s", options[i].name, options[i].value ? " " : "",
		 options[i].value ? options[i].value : "");
	buf_printf(out, "  %-20s %s", head, options[i].text);
	if (options[i].env)
		buf_printf(out, " [%s]", options[i].env);
	buf_char(out, '\n');
}

void command_help(const struct command *commands, struct buf *out)
{
	buf_str(out, "rspctl: looks into and steers the processes of an M2M remote provisioning suite\n\nCommands:\n");
	for (; commands->words; commands++) {
		buf_printf(out, "  rspctl");
		for (int i = 0; i < OPT_COUNT; i++)
			if (commands->needs & UINT64_C(1) << i)
				buf_printf(out, " %s %s", options[i].name, options[i].value);
		buf_printf(out, " %s%s%s", commands->words, *commands->args ? " " : "", commands->args);
		for (int i = 0; i < OPT_COUNT; i++)
			if (commands->may & UINT64_C(1) << i)
				buf_printf(out, " [%s%s%s]", options[i].name, options[i].value ? " " : "",
					   options[i].value ? options[i].value : "");
		buf_printf(out, "\n      %s\n", commands->help);
	}
	buf_str(out, "\nOptions, anywhere on the line; [VARIABLE] gives the default:\n");
	for (int i = 0; i < OPT_COUNT; i++)
		help_option(i, out);
	buf_str(out, "\nExit codes:\n"
		     "  0  done\n"
		     "  1  refused by the other side: execution status FAILED or EXPIRED, a SOAP Fault, or HTTP 4xx\n"
		     "  2  usage: the command line or a file that it names is wrong\n"
		     "  3  the other side cannot be reached\n"
		     "  4  not found\n"
		     "  5  an unexpected answer or an internal error\n");
}
