// SPDX-License-Identifier: Apache-2.0

#include "host.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* PPME_PLUGINEVENT_E of libscap. */
#define PLUGIN_EVENT 322

/* The two parameters of a plugin event: sizes first, then the plugin's id. */
struct params {
	uint32_t id_size;
	uint32_t payload_size;
	uint32_t id;
	char payload[];
};

static const struct params *params_of(const ss_plugin_event *evt)
{
	return (const struct params *)(evt + 1);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

static void *symbol(void *so, const char *name)
{
	void *p = dlsym(so, name);

	if (!p)
		die("no symbol %s", name);
	return p;
}

static uint32_t type_named(const char *name)
{
	if (!strcmp(name, "string"))
		return FTYPE_STRING;
	if (!strcmp(name, "uint64"))
		return FTYPE_UINT64;
	if (!strcmp(name, "bool"))
		return FTYPE_BOOL;
	die("field type %s", name);
}

/* Reads the list of fields; the SDK writes it without spaces. */
static void read_fields(struct host *h)
{
	const char *json = h->api.get_fields();
	char type[16], list[6];

	for (h->nfields = 0; (json = strstr(json, "{\"name\":\"")); h->nfields++, json++) {
		struct field *f = &h->fields[h->nfields];

		if (h->nfields == sizeof(h->fields) / sizeof(*h->fields))
			die("too many fields");
		if (sscanf(json, "{\"name\":\"%63[^\"]\",\"type\":\"%15[^\"]\",\"isList\":%5[a-z]", f->name, type, list) != 3)
			die("field list: %.80s", json);
		f->type = type_named(type);
		f->list = !strcmp(list, "true");
	}
	if (!h->nfields)
		die("no fields");
}

void load(struct host *h, const char *path)
{
	void *so = dlopen(path, RTLD_LAZY | RTLD_LOCAL);

	if (!so)
		die("%s", dlerror());
#define TAKE(name) (h->api.name = symbol(so, "plugin_" #name))
	TAKE(get_required_api_version);
	TAKE(get_init_schema);
	TAKE(init);
	TAKE(destroy);
	TAKE(get_last_error);
	TAKE(get_name);
	TAKE(get_description);
	TAKE(get_contact);
	TAKE(get_version);
	TAKE(get_id);
	TAKE(get_event_source);
	TAKE(open);
	TAKE(close);
	TAKE(list_open_params);
	TAKE(event_to_string);
	TAKE(next_batch);
	TAKE(get_extract_event_types);
	TAKE(get_extract_event_sources);
	TAKE(get_fields);
	TAKE(extract_fields);
	TAKE(get_metrics);
#undef TAKE
	read_fields(h);
}

ss_plugin_t *init(struct host *h, const char *config, ss_plugin_rc *rc)
{
	ss_plugin_init_input in = { .config = config };

	return h->api.init(&in, rc);
}

ss_plugin_t *must_init(struct host *h, const char *config)
{
	ss_plugin_rc rc = SS_PLUGIN_FAILURE;
	ss_plugin_t *s = init(h, config, &rc);

	if (rc != SS_PLUGIN_SUCCESS)
		die("init: %s", s ? h->api.get_last_error(s) : "no state");
	return s;
}

ss_instance_t *must_open(struct host *h, ss_plugin_t *s, const char *params)
{
	ss_plugin_rc rc = SS_PLUGIN_FAILURE;
	ss_instance_t *i = h->api.open(s, params, &rc);

	if (rc != SS_PLUGIN_SUCCESS || !i)
		die("open: %s", h->api.get_last_error(s));
	return i;
}

static void check_event(const ss_plugin_event *evt)
{
	const struct params *p = params_of(evt);

	if (evt->type != PLUGIN_EVENT || evt->nparams != 2 || p->id_size != 4)
		die("event: type %u, %u parameters, id of %u bytes", evt->type, evt->nparams, p->id_size);
	if (evt->len != sizeof(*evt) + sizeof(*p) + p->payload_size)
		die("event: %u bytes with a payload of %u", evt->len, p->payload_size);
	if (p->payload_size < 8 || memcmp(p->payload, "{\"v\":1,\"", 8))
		die("payload: %.*s", (int)p->payload_size, p->payload);
}

static void check_text(const char *field, const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			die("%s: control character %#x", field, *c);
}

struct value extract(struct host *h, ss_plugin_t *s, const ss_plugin_event *evt, uint64_t num, uint32_t field)
{
	ss_plugin_event_input evt_in = { .evt = evt, .evtnum = num, .evtsrc = "fs" };
	ss_plugin_extract_field f = {
		.field_id = field, .field = h->fields[field].name, .ftype = h->fields[field].type,
		.flist = h->fields[field].list,
	};
	ss_plugin_field_extract_input in = { .num_fields = 1, .fields = &f };
	ss_plugin_rc rc = h->api.extract_fields(s, &evt_in, &in);
	struct value v = { .known = rc == SS_PLUGIN_SUCCESS && f.res_len };

	if ((f.res_len > 1 && !f.flist) || (rc != SS_PLUGIN_SUCCESS && f.res_len))
		die("%s: rc %d and %lu values", f.field, rc, (unsigned long)f.res_len);
	if (rc != SS_PLUGIN_SUCCESS && !*h->api.get_last_error(s))
		die("%s: failed without an error", f.field);
	if (!v.known)
		return v;
	switch (f.ftype) {
	case FTYPE_STRING:
		v.text = f.res.str[0];
		v.texts = f.res.str;
		v.ntexts = f.res_len;
		for (uint64_t n = 0; n < v.ntexts; n++)
			check_text(f.field, v.texts[n]);
		break;
	case FTYPE_UINT64:
		v.number = f.res.u64[0];
		break;
	default:
		v.number = f.res.boolean[0];
	}
	return v;
}

ss_plugin_rc pump(struct host *h, ss_plugin_t *s, ss_instance_t *i, uint64_t *num, visit_fn visit)
{
	uint32_t n = 0;
	ss_plugin_event **events = NULL;
	ss_plugin_rc rc = h->api.next_batch(s, i, &n, &events);

	if (rc == SS_PLUGIN_FAILURE)
		die("next_batch: %s", h->api.get_last_error(s));
	if (rc == SS_PLUGIN_SUCCESS && !n)
		die("next_batch: success without events");
	for (uint32_t e = 0; e < n; e++) {
		++*num;
		check_event(events[e]);
		for (uint32_t f = 0; f < h->nfields; f++)
			extract(h, s, events[e], *num, f);
		if (visit)
			visit(h, s, events[e], *num);
	}
	return rc;
}

ss_plugin_event *wrap(const void *payload, uint32_t size)
{
	size_t len = sizeof(ss_plugin_event) + sizeof(struct params) + size;
	ss_plugin_event *evt = calloc(1, len);
	struct params p = { .id_size = 4, .payload_size = size };

	if (!evt)
		die("out of memory");
	*evt = (ss_plugin_event){ .ts = 1, .tid = -1, .len = len, .type = PLUGIN_EVENT, .nparams = 2 };
	memcpy(evt + 1, &p, sizeof(p));
	memcpy((char *)(evt + 1) + sizeof(p), payload, size);
	return evt;
}
