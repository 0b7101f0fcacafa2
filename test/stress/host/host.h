/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest host of a Falco plugin: what libsinsp does with one, and
 * nothing that libsinsp would forgive. Every breach of the plugin API ends the
 * process with a message and status 1.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin_api.h"

struct field {
	char name[64];
	uint32_t type; /* ss_plugin_field_type */
	bool list;
};

struct host {
	plugin_api api;
	struct field fields[256];
	uint32_t nfields;
};

/* A value that was extracted, of a list the first. The strings belong to the plugin. */
struct value {
	bool known;
	const char *text;
	const char **texts; /* all of them */
	uint64_t ntexts;
	uint64_t number; /* or bool */
};

/* What to do with each event that next_batch returns; NULL: nothing more. */
typedef void (*visit_fn)(struct host *h, ss_plugin_t *s, const ss_plugin_event *evt, uint64_t num);

void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

void load(struct host *h, const char *path);
ss_plugin_t *init(struct host *h, const char *config, ss_plugin_rc *rc);
ss_plugin_t *must_init(struct host *h, const char *config);
ss_instance_t *must_open(struct host *h, ss_plugin_t *s, const char *params);

/*
 * Calls next_batch once and extracts every field of every event. Adds the
 * number of events to *num, which numbers them as the framework would.
 */
ss_plugin_rc pump(struct host *h, ss_plugin_t *s, ss_instance_t *i, uint64_t *num, visit_fn visit);

struct value extract(struct host *h, ss_plugin_t *s, const ss_plugin_event *evt, uint64_t num, uint32_t field);

/* Wraps a payload as an event; the caller frees it. */
ss_plugin_event *wrap(const void *payload, uint32_t size);

/* The command line, and the plugin that it names. */
extern struct host host;
extern const char *config, *params;
extern long number;

/* The scenarios that are not in main.c. */
void churn(void);
void signals(void);
void unprotected(void);
void reopen(void);
void hostile(void);

#endif
