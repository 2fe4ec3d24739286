/* The end of a trace: by the recorder, or by the keeper in its place. */
#include <errno.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"

#define END_BYTES 16384

void sw_end_recording(struct sw_collector *c)
{
	c->control->ended = 1;
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); /* until no program runs that has not seen that */
}

static void append(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *to, const char *format, ...)
{
	size_t used = strlen(to);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(to + used, END_BYTES - used, format, arguments);
	va_end(arguments);
}

/* A member of the JSON object: what was counted, where it is not 0. */
static void append_counts(char *to, const char *name, const struct sw_counted *counted, uint32_t count,
			  const struct sw_totals *totals)
{
	const char *comma = "";

	append(to, ", \"%s\": {", name);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value = *(const uint64_t *)((const char *)totals + counted[i].offset);

		if (!value)
			continue;
		append(to, "%s\"%s\": %llu", comma, counted[i].name, (unsigned long long)value);
		comma = ", ";
	}
	append(to, "}");
}

static int write_end(struct sw_collector *c, const char *facts)
{
	static char json[END_BYTES];
	struct timespec now;
	struct sw_totals totals;
	int code;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sw_collector_totals(c, &totals);
	json[0] = 0;
	append(json, "{\"end_monotonic_ns\": %llu", now.tv_sec * 1000000000ULL + now.tv_nsec);
	append_counts(json, "losses", c->options.losses, c->options.loss_count, &totals);
	append_counts(json, "degraded", c->options.degraded, c->options.degraded_count, &totals);
	append(json, "%s%s}", *facts ? ", " : "", facts);
	code = sw_spool_meta(&c->spool, json, strlen(json));
	if (!code)
		sw_commit(c);
	return code;
}

int sw_end_trace(struct sw_collector *c, const char *facts, char *error)
{
	int swept, code;

	sw_drain(c, 1);
	swept = sw_end_threads(c, error);
	sw_flush_heads(c, UINT64_MAX, UINT64_MAX);
	sw_drain(c, 1);
	/* The room kept for the end; whoever else holds the file open does not hold this up. */
	if (ftruncate(c->options.reserve, 0))
		return sw_fail(error, -errno, "cannot free the room for the trace's end: %s", strerror(errno));
	code = write_end(c, facts);
	if (code || fsync(c->spool.file))
		return sw_fail(error, code ? code : -errno, "cannot write the trace's end: %s",
			       strerror(code ? -code : errno));
	c->shared->ended = 1;
	return swept;
}
