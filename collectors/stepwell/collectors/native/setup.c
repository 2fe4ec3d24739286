/* Loads the programs and makes their maps ready. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector.h"
#include "programs.h"

#define SCRATCHES 16 /* a processor: programs that may interrupt each other while they use one */

int sw_fail(char *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, SW_ERROR_BYTES, format, arguments);
	va_end(arguments);
	return code;
}

/* The last that libbpf had to say, for the error message: the verifier's reason stands at the end of its log. */
static __thread char said[SW_ERROR_BYTES * 3 / 4];

static int remember(enum libbpf_print_level level, const char *format, va_list arguments)
{
	size_t used = strlen(said), bytes, room = sizeof(said) - 1;
	char *text;

	if (level > LIBBPF_WARN || vasprintf(&text, format, arguments) < 0)
		return 0;
	bytes = strlen(text);
	if (bytes > room)
		bytes = room;
	if (used > room - bytes) {
		memmove(said, said + used - (room - bytes), room - bytes);
		used = room - bytes;
	}
	memcpy(said + used, text + strlen(text) - bytes, bytes);
	said[used + bytes] = 0;
	free(text);
	return 0;
}

size_t sw_slot_bytes(const struct sw_collector *c)
{
	return (size_t)c->options.heads * sizeof(struct sw_slot);
}

int sw_run_program(struct sw_collector *c, const char *name, const void *argument, size_t bytes)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = argument, .ctx_size_in = bytes);

	return bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(c->object, name)), &options);
}

/* The directory stays open, so that its inode keeps its address. */
static int find_under(struct sw_collector *c)
{
	struct sw_under under;

	c->under = open(c->options.under, O_PATH | O_DIRECTORY | O_CLOEXEC);
	under.descriptor = c->under;
	return c->under < 0 || sw_run_program(c, "find_under", &under, sizeof(under));
}

static int fill_free_scratches(struct sw_collector *c)
{
	struct bpf_map *map = bpf_object__find_map_by_name(c->object, "free_scratches");

	for (uint32_t i = 0; i < (uint32_t)c->processors * SCRATCHES; i++)
		if (bpf_map__update_elem(map, NULL, 0, &i, sizeof(i), BPF_ANY))
			return -1;
	return 0;
}

int sw_set_up(struct sw_collector *c, char *error)
{
	struct sw_options *o = &c->options;
	struct sw_knobs knobs = {
		.filter = o->filter,
		.runs_bytes = o->ring_bytes - o->ring_bytes / 8,
		.wakeup_bytes = o->ring_bytes / 8,
		.heads = o->heads,
	};
	const struct {
		const char *map;
		uint32_t entries;
	} sizes[] = {
		{"ring", o->ring_bytes},
		{"opens", o->opens},
		{"slots", o->heads},
		{"heads", o->heads},
		{"free_slots", o->heads},
		{"scratches", c->processors * SCRATCHES},
		{"free_scratches", c->processors * SCRATCHES},
	};
	struct bpf_map *map;

	c->object = bpf_object__open_file(o->object, NULL);
	if (!c->object)
		return sw_fail(error, -errno, "cannot read %s: %s", o->object, strerror(errno));
	knobs.filter.under = o->under != NULL;
	for (long bytes = sysconf(_SC_PAGESIZE); bytes > 1; bytes >>= 1)
		knobs.page_shift += 1;
	c->features = sw_choose_programs(c->object);
	knobs.preempted = (c->features & SW_ON_FUNCTIONS) != 0;
	map = bpf_object__find_map_by_name(c->object, ".rodata.knobs");
	if (!map || bpf_map__set_initial_value(map, &knobs, sizeof(knobs)))
		return sw_fail(error, -EINVAL, "%s and this library are of different versions", o->object);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		bpf_map__set_max_entries(bpf_object__find_map_by_name(c->object, sizes[i].map), sizes[i].entries);
	libbpf_set_print(remember);
	said[0] = 0;
	if (bpf_object__load(c->object)) {
		int code = -errno;

		return sw_fail(error, code, "the kernel refuses the programs: %s\n%s", strerror(-code), said);
	}
	map = bpf_object__find_map_by_name(c->object, "targets");
	for (uint32_t i = 0; i < o->target_count; i++) {
		uint8_t one = 1;

		if (bpf_map__update_elem(map, &o->targets[i], sizeof(uint32_t), &one, sizeof(one), BPF_ANY))
			return sw_fail(error, -errno, "cannot note process %u: %s", o->targets[i], strerror(errno));
	}
	c->control = mmap(NULL, sizeof(*c->control), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_object__find_map_fd_by_name(c->object, ".bss"), 0);
	if (c->control == MAP_FAILED)
		return sw_fail(error, -errno, "cannot map the programs' variables: %s", strerror(errno));
	c->slots = mmap(NULL, sw_slot_bytes(c), PROT_READ, MAP_SHARED,
			bpf_object__find_map_fd_by_name(c->object, "slots"), 0);
	if (c->slots == MAP_FAILED)
		return sw_fail(error, -errno, "cannot map the open runs: %s", strerror(errno));
	if (o->under && find_under(c))
		return sw_fail(error, -errno, "cannot find %s: %s", o->under, strerror(errno));
	if (fill_free_scratches(c))
		return sw_fail(error, -errno, "cannot list the free places: %s", strerror(errno));
	return 0;
}

int sw_probe(const char *object, const char *name, char *error)
{
	struct bpf_object *o;
	struct bpf_program *program;
	int code = 0;

	libbpf_set_print(remember);
	said[0] = 0;
	o = bpf_object__open_file(object, NULL);
	if (!o)
		return sw_fail(error, -errno, "cannot read %s: %s", object, strerror(errno));
	bpf_object__for_each_program(program, o)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	if (!bpf_object__find_program_by_name(o, name))
		code = sw_fail(error, -ENOENT, "no program %s", name);
	else if (bpf_object__load(o))
		code = sw_fail(error, -errno, "%s\n%s", strerror(errno), said);
	bpf_object__close(o);
	return code;
}
