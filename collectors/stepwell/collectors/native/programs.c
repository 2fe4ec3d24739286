/* Which of the programs run on this kernel: what differs between kernels is looked up in its types, or tried. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "programs.h"

#define OLD_COMPLETE_PARAMETERS 8 /* of io_uring_complete's function, with the one that every tracepoint has */

/* Other programs that see the same, for kernels with tracepoints only. */
static const char *const tracepoints_only[] = {"sys_enter", "sys_exit", "map_pages", "filemap_fault", "get_pages"};

static int is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return 1;
	return 0;
}

static int is_on_function(const struct bpf_program *program)
{
	enum bpf_attach_type type = bpf_program__expected_attach_type(program);

	return bpf_program__type(program) == BPF_PROG_TYPE_TRACING &&
	       (type == BPF_TRACE_FENTRY || type == BPF_TRACE_FEXIT);
}

/* May programs be attached to functions? Lockdown and some architectures forbid it, which is only found out by trying.
 */
static int may_attach_to_functions(const struct btf *kernel)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
	int id = btf__find_by_name_kind(kernel, "filemap_fault", BTF_KIND_FUNC);
	int program, link;

	if (id < 0)
		return 0;
	options.attach_btf_id = id;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "try", "Dual BSD/GPL", nothing, 2, &options);
	if (program < 0)
		return 0;
	link = bpf_raw_tracepoint_open(NULL, program);
	close(program);
	if (link < 0)
		return 0;
	close(link);
	return 1;
}

/* How many parameters the function behind a tracepoint has; 0 when there is no such tracepoint. */
static int parameters(const struct btf *kernel, const char *tracepoint)
{
	char name[128] = "btf_trace_";
	const struct btf_type *type;
	int id;

	strncat(name, tracepoint, sizeof(name) - strlen(name) - 1);
	id = btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return 0;
	type = btf__type_by_id(kernel, btf__type_by_id(kernel, id)->type);
	return btf_vlen(btf__type_by_id(kernel, type->type));
}

/* Is what the program is to be attached to there, and of the form that it expects? */
static int fits(const struct btf *kernel, const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);
	const char *target = strchr(bpf_program__section_name(program), '/') + 1;

	if (is_on_function(program))
		return btf__find_by_name_kind(kernel, target, BTF_KIND_FUNC) > 0;
	if (!strcmp(name, "uring_complete"))
		return parameters(kernel, target) && parameters(kernel, target) < OLD_COMPLETE_PARAMETERS;
	if (!strcmp(name, "uring_complete_old"))
		return parameters(kernel, target) == OLD_COMPLETE_PARAMETERS;
	if (!strcmp(name, "uring_submit_old") && parameters(kernel, "io_uring_submit_req"))
		return 0;
	return parameters(kernel, target) > 0;
}

static int is_loaded(const struct bpf_object *object, const char *name)
{
	return bpf_program__autoload(bpf_object__find_program_by_name(object, name));
}

uint32_t sw_choose_programs(struct bpf_object *object)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int on_functions = kernel && may_attach_to_functions(kernel);
	struct bpf_program *program;
	uint32_t features = on_functions ? SW_ON_FUNCTIONS : 0;

	bpf_object__for_each_program(program, object)
	{
		const char *name = bpf_program__name(program);
		int wanted = 1;

		if (is_on_function(program))
			wanted = on_functions;
		else if (on_functions)
			wanted =
				!is_among(name, tracepoints_only, sizeof(tracepoints_only) / sizeof(*tracepoints_only));
		if (wanted && kernel && strchr(bpf_program__section_name(program), '/') &&
		    bpf_program__expected_attach_type(program) != BPF_TRACE_ITER)
			wanted = fits(kernel, program);
		bpf_program__set_autoload(program, wanted);
	}
	if (is_loaded(object, "fault_ends") ||
	    (is_loaded(object, "filemap_fault") &&
	     btf__find_by_name_kind(kernel, "bpf_iter_task_vma_new", BTF_KIND_FUNC) > 0))
		features |= SW_PAGE_FAULTS;
	if (is_loaded(object, "read_pages") || is_loaded(object, "get_pages"))
		features |= SW_POSITIONS;
	if (is_loaded(object, "uring_submit") || is_loaded(object, "uring_submit_old"))
		features |= SW_URING;
	btf__free(kernel);
	return features;
}
