// SPDX-License-Identifier: Apache-2.0
/*
 * Scenarios that a host of the plugin can get into. Usage:
 *
 *	host LIBRARY SCENARIO CONFIG PARAMS [NUMBER]
 *
 * Status 0: as the plugin API wants it. What was seen goes to standard output.
 */
#include "host.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct host host;
const char *config, *params;
long number;

/* ---- replay: print every field of every event ---- */

static void print_event(struct host *h, ss_plugin_t *s, const ss_plugin_event *evt, uint64_t num)
{
	ss_plugin_event_input in = { .evt = evt, .evtnum = num };

	printf("# %s\nevt.time %lu\n", h->api.event_to_string(s, &in), (unsigned long)evt->ts);
	for (uint32_t f = 0; f < h->nfields; f++) {
		struct value v = extract(h, s, evt, num, f);

		for (uint64_t n = 0; n < v.ntexts; n++)
			printf("%s \"%s\"\n", h->fields[f].name, v.texts[n]);
		if (v.known && !v.text)
			printf("%s %lu\n", h->fields[f].name, (unsigned long)v.number);
	}
}

static void print_metrics(ss_plugin_t *s)
{
	uint32_t n = 0;
	ss_plugin_metric *m = host.api.get_metrics(s, &n);

	for (uint32_t i = 0; i < n; i++) {
		if (m[i].type != SS_PLUGIN_METRIC_TYPE_MONOTONIC || m[i].value_type != SS_PLUGIN_METRIC_VALUE_TYPE_U64)
			die("metric %s: type %d of %d", m[i].name, m[i].type, m[i].value_type);
		if (m[i].value.u64)
			printf("metric %s %lu\n", m[i].name, (unsigned long)m[i].value.u64);
	}
}

static void replay(void)
{
	ss_plugin_t *s = must_init(&host, config);
	ss_instance_t *i = must_open(&host, s, params);
	uint64_t num = 0;

	while (pump(&host, s, i, &num, print_event) != SS_PLUGIN_EOF)
		;
	if (pump(&host, s, i, &num, print_event) != SS_PLUGIN_EOF)
		die("the end is not the end");
	print_metrics(s);
	host.api.close(s, i);
	print_metrics(s);
	host.api.destroy(s);
}

/* ---- live: print operation and path until standard input ends ---- */

static uint32_t field_named(const char *name)
{
	for (uint32_t f = 0; f < host.nfields; f++)
		if (!strcmp(host.fields[f].name, name))
			return f;
	die("no field %s", name);
}

static void print_path(struct host *h, ss_plugin_t *s, const ss_plugin_event *evt, uint64_t num)
{
	const char *path = extract(h, s, evt, num, field_named("fs.host_path")).text;

	printf("%s %s\n", extract(h, s, evt, num, field_named("fs.op")).text, path ? path : "");
	fflush(stdout);
}

static bool input_ended(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, 0) > 0;
}

/* The plugin with CONFIG is opened after another one was initialised. */
static void live(void)
{
	ss_plugin_t *s = must_init(&host, config);
	ss_plugin_t *other = must_init(&host, "{\"watch\":[\"/nowhere\"]}");
	ss_instance_t *i = must_open(&host, s, params);
	uint64_t num = 0;

	puts("open");
	fflush(stdout);
	while (!input_ended())
		pump(&host, s, i, &num, print_path);
	while (pump(&host, s, i, &num, print_path) == SS_PLUGIN_SUCCESS)
		;
	host.api.close(s, i);
	host.api.destroy(other);
	host.api.destroy(s);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{ "replay", replay }, { "live", live }, { "churn", churn }, { "signals", signals },
	{ "unprotected", unprotected }, { "reopen", reopen }, { "hostile", hostile },
};

int main(int argc, char **argv)
{
	if (argc < 5)
		die("usage: host LIBRARY SCENARIO CONFIG PARAMS [NUMBER]");
	config = argv[3];
	params = argv[4];
	number = argc > 5 ? atol(argv[5]) : 0;
	load(&host, argv[1]);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		if (!strcmp(argv[2], scenarios[i].name)) {
			scenarios[i].run();
			return 0;
		}
	}
	die("no scenario %s", argv[2]);
}
