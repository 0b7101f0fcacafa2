// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* ---- hostile: configurations, handles and payloads ---- */

static const char *const bad_configs[] = {
	"{", "[]", "1", "\"\"", "{\"watch\":\"/etc\"}", "{\"watch\":[\"etc\"]}", "{\"watch\":[\"/\"]}",
	"{\"watch\":[]}", "{\"watches\":[\"/etc\"]}", "{\"backend\":\"magic\"}", "{\"events\":[\"explode\"]}",
	"{\"watch\":[\"/[\"]}", "{\"watch\":null}",
};

static void refuse_configs(void)
{
	for (size_t c = 0; c < sizeof(bad_configs) / sizeof(*bad_configs); c++) {
		ss_plugin_rc rc = SS_PLUGIN_SUCCESS;
		ss_plugin_t *s = init(&host, bad_configs[c], &rc);

		if (rc != SS_PLUGIN_FAILURE || !s || !*host.api.get_last_error(s))
			die("init took %s", bad_configs[c]);
		if (host.api.open(s, params, &rc) || rc != SS_PLUGIN_FAILURE)
			die("opened without a configuration");
		host.api.destroy(s);
	}
}

static void refuse_params(ss_plugin_t *s)
{
	static const char *const bad[] = { "file://", "file:///nowhere", "file:///proc", "http://x", "/etc", "\n\x1b" };

	for (size_t p = 0; p < sizeof(bad) / sizeof(*bad); p++) {
		ss_plugin_rc rc = SS_PLUGIN_SUCCESS;

		if (host.api.open(s, bad[p], &rc) || rc != SS_PLUGIN_FAILURE || !*host.api.get_last_error(s))
			die("opened %s", bad[p]);
	}
}

static void refuse_handles(ss_plugin_t *s)
{
	ss_plugin_rc rc = SS_PLUGIN_SUCCESS;
	uint32_t metrics = 1;

	host.api.close(s, NULL);
	host.api.destroy(NULL);
	if (host.api.get_metrics(NULL, &metrics) || metrics)
		die("metrics of no plugin");
	if (host.api.open(NULL, params, &rc) || rc != SS_PLUGIN_FAILURE)
		die("opened no plugin");
}

/* Asks an event for everything; returns how many fields have a value. */
static uint32_t interrogate(ss_plugin_t *s, const void *payload, uint32_t size)
{
	static uint64_t num;
	ss_plugin_event *evt = wrap(payload, size);
	ss_plugin_event_input in = { .evt = evt, .evtnum = ++num };
	uint32_t known = 0;

	for (uint32_t f = 0; f < host.nfields; f++)
		known += extract(&host, s, evt, num, f).known;
	if (!host.api.event_to_string(s, &in))
		die("event_to_string: NULL");
	free(evt);
	return known;
}

static const char whole[] =
	"{\"v\":1,\"op\":\"rename\",\"ts\":1,\"res\":\"SUCCESS\",\"inode\":7,\"dev\":5,\"host_path\":\"/w/\x01\\u000a\xff\xc2\x9b\","
	"\"old.host_path\":\"/w/o\",\"proc.pid\":2,\"user.uid\":0,\"proc.name\":\"\x7f\",\"proc.argv\":[\"a\",\"\x1b\",\"\"],\"truncated\":true}";

static void cut_payloads(ss_plugin_t *s)
{
	for (uint32_t size = 0; size < sizeof(whole) - 1; size++)
		/* fs.op is read from the beginning, and rightly so. */
		if (interrogate(s, whole, size) > 1)
			die("values from a payload that was cut to %u bytes", size);
	if (interrogate(s, whole, sizeof(whole) - 1) < 10)
		die("no values from a good payload");
}

static void random_payloads(ss_plugin_t *s)
{
	char payload[sizeof(whole)];

	for (int n = 0; n < 20000; n++) {
		uint32_t size = random() % sizeof(payload);

		memcpy(payload, whole, sizeof(payload));
		for (int flips = random() % 8; flips >= 0; flips--)
			payload[random() % sizeof(payload)] = random();
		interrogate(s, payload, n % 2 ? sizeof(payload) - 1 : size);
	}
	for (uint32_t size = 1; size < sizeof(payload); size++) {
		for (uint32_t b = 0; b < size; b++)
			payload[b] = random();
		if (interrogate(s, payload, size))
			die("values from noise");
	}
}

void hostile(void)
{
	ss_plugin_t *s = must_init(&host, config);

	srandom(number);
	if (!*host.api.get_last_error(s))
		die("no text for no error");
	refuse_configs();
	refuse_params(s);
	refuse_handles(s);
	cut_payloads(s);
	random_payloads(s);
	host.api.destroy(s);
}
