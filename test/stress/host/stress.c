// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "host.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- a capture in a thread of its own ---- */

static atomic_bool stop;
static atomic_ulong seen;

static void await_events(void)
{
	while (!seen)
		usleep(1000);
}

/* Reads, and begins again at the end of a replay, until told to stop. */
static void *capture(void *state)
{
	ss_instance_t *i = must_open(&host, state, params);
	uint64_t num = 0;

	while (!stop) {
		if (pump(&host, state, i, &num, NULL) == SS_PLUGIN_EOF) {
			host.api.close(state, i);
			i = must_open(&host, state, params);
		}
		seen = num;
	}
	host.api.close(state, i);
	return NULL;
}

static pthread_t start_capture(ss_plugin_t *s)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, capture, s))
		die("pthread_create");
	return thread;
}

static void end_capture(pthread_t thread)
{
	stop = true;
	pthread_join(thread, NULL);
	printf("seen %lu\n", (unsigned long)seen);
}

/* ---- churn: init and destroy beside a live capture ---- */

void churn(void)
{
	ss_plugin_t *s = must_init(&host, config);
	pthread_t thread = start_capture(s);

	await_events();
	for (long n = 0; n < number; n++) {
		ss_plugin_rc rc = SS_PLUGIN_SUCCESS;
		ss_plugin_t *good = must_init(&host, config);
		ss_plugin_t *bad = init(&host, "{\"no\":1}", &rc);
		uint32_t metrics;

		if (rc != SS_PLUGIN_FAILURE || !strstr(host.api.get_last_error(bad), "no"))
			die("init took a wrong configuration");
		host.api.get_metrics(good, &metrics);
		host.api.get_metrics(s, &metrics);
		host.api.get_last_error(good);
		host.api.list_open_params(good, &rc);
		host.api.destroy(bad);
		host.api.destroy(good);
	}
	end_capture(thread);
	host.api.destroy(s);
}

/* ---- signals: a storm at the thread that captures ---- */

static atomic_ulong handled, foreign;
static atomic_uintptr_t stack_low, stack_high; /* of the thread that captures */

/*
 * A handler may run on the thread's own stack or on its alternate one. Any
 * other is a goroutine's, which has a few kilobytes and the heap below it: the
 * handler writes over whatever is there.
 */
static void on_signal(int sig)
{
	uintptr_t here = (uintptr_t)&sig;
	stack_t alternate;

	sigaltstack(NULL, &alternate);
	if (!(alternate.ss_flags & SS_ONSTACK) && (here < stack_low || here >= stack_high))
		foreign++;
	handled++;
}

/* As Falco does it: without SA_ONSTACK. */
static void install(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	if (sigaction(SIGUSR1, &sa, NULL))
		die("sigaction");
}

static void learn_stack(pthread_t thread)
{
	pthread_attr_t attr;
	void *low;
	size_t size;

	if (pthread_getattr_np(thread, &attr) || pthread_attr_getstack(&attr, &low, &size))
		die("pthread_attr_getstack");
	stack_low = (uintptr_t)low;
	stack_high = (uintptr_t)low + size;
	pthread_attr_destroy(&attr);
}

static void storm(void (*before)(void), void (*each)(void))
{
	ss_plugin_t *s;
	pthread_t thread;

	before();
	s = must_init(&host, config);
	thread = start_capture(s);
	learn_stack(thread);
	await_events();
	for (long n = 0; n < number; n++) {
		unsigned long was = handled;

		each();
		pthread_kill(thread, SIGUSR1);
		while (was == handled)
			sched_yield();
	}
	end_capture(thread);
	host.api.destroy(s);
	printf("handled %lu\nforeign %lu\n", (unsigned long)handled, (unsigned long)foreign);
}

static void nothing(void) {}
void signals(void) { storm(install, nothing); }

/* Undoes what Open does about handlers: shows that the storm would find it. */
void unprotected(void) { storm(nothing, install); }

/* ---- reopen: nothing is left behind ---- */

static long entries(const char *path)
{
	DIR *dir = opendir(path);
	long n = 0;

	if (!dir)
		die("%s", path);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

void reopen(void)
{
	ss_plugin_t *s = must_init(&host, config);
	long fds = 0, threads = 0;
	uint64_t num = 0;

	for (long n = 0; n <= number; n++) {
		ss_instance_t *i = must_open(&host, s, params);

		pump(&host, s, i, &num, NULL);
		host.api.close(s, i);
		if (n == number / 2) { /* warm by now */
			fds = entries("/proc/self/fd");
			threads = entries("/proc/self/task");
		}
	}
	printf("fds %ld\nthreads %ld\n", entries("/proc/self/fd") - fds, entries("/proc/self/task") - threads);
	host.api.destroy(s);
}
