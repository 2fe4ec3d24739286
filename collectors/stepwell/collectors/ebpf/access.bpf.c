// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
/*
 * The collector's programs: system calls, page faults, io_uring, and the life of threads. Thin entries; what they do
 * stands in the headers beside this file.
 */
#include "async.h"
#include "faults.h"
#include "libaio.h"
#include "threads.h"
#include "transfer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym __weak;

static __always_inline void begin(struct sw_task *t, struct task_struct *task, __u32 call, struct pt_regs *regs)
{
	t->call = CALL_OTHER;
	switch (call) {
	case CALL_NONE:
		break;
	case CALL_READ ... CALL_PWRITEV2:
		begin_transfer(t, task, call, regs);
		break;
	case CALL_SENDFILE:
		begin_copy(t, task, call, ARG2(regs), ARG3(regs), ARG1(regs), 0, ARG4(regs));
		break;
	case CALL_SPLICE:
	case CALL_COPY:
		begin_copy(t, task, call, ARG1(regs), ARG2(regs), ARG3(regs), ARG4(regs), ARG5(regs));
		break;
	case CALL_CLOSE:
		begin_close(t, task, call, ARG1(regs));
		break;
	case CALL_DUP:
		begin_dup(t, task, ARG1(regs), ARG2(regs));
		break;
	case CALL_CLOSE_RANGE:
		close_range(t, ARG1(regs), ARG2(regs), ARG3(regs));
		break;
	case CALL_IO_SUBMIT:
		begin_io_submit(t, task, regs);
		break;
	case CALL_URING_ENTER:
		begin_call(t, task, call);
		t->submits = ARG3(regs) == 0; /* events to wait for */
		break;
	default:
		begin_call(t, task, call);
	}
}

/* `kind` is the call as it is known when the program is compiled, t->call what it turned out to be. */
static __always_inline void end(struct sw_task *t, struct task_struct *task, __u32 kind, struct pt_regs *regs,
				long result)
{
	__u32 call = t->call;
	__u64 now;

	t->call = CALL_NONE;
	if (call == CALL_OTHER)
		return;
	now = bpf_ktime_get_ns();
	t->end_ns = now;
	switch (kind) {
	case CALL_READ ... CALL_PWRITEV2:
		end_transfer(t, task, call, result, now);
		break;
	case CALL_SENDFILE:
	case CALL_SPLICE:
	case CALL_COPY:
		end_copy(t, task, call, result, now);
		break;
	case CALL_OPEN ... CALL_CREAT:
		t->argument = creation_flags(kind, regs);
		end_open(t, task, result, now);
		break;
	case CALL_CLOSE:
	case CALL_DUP:
		end_close(t);
		break;
	case CALL_FTRUNCATE:
		if (result == 0)
			end_on_descriptor(t, task, SW_EVENT_TRUNCATE, ARG1(regs), ARG2(regs), now);
		break;
	case CALL_SYNC:
		if (result == 0)
			end_on_descriptor(t, task, SW_EVENT_SYNC, ARG1(regs), 0, now);
		break;
	case CALL_IO_SUBMIT:
		end_io_submit(t, task, regs, result, now);
		break;
	case CALL_IO_GETEVENTS:
	case CALL_IO_PGETEVENTS:
	case CALL_URING_ENTER:
		end_wait(t, task, call, regs, result, now);
		break;
	default:
		if (result == 0)
			end_named(t, kind, regs);
	}
}

/*
 * System calls where the kernel lets programs be attached to its functions: a pair of programs for each call, so that
 * nobody pays for any other.
 */
#define ON_CALL(number, function, kind)                                 \
	SEC("fentry/" SYSCALL_PREFIX #function)                         \
	int BPF_PROG(enter_##number, struct pt_regs *regs)              \
	{                                                               \
		struct task_struct *task = bpf_get_current_task_btf();  \
		struct sw_task *t = traced(task);                       \
                                                                        \
		if (t)                                                  \
			begin(t, task, kind, regs);                     \
		return 0;                                               \
	}                                                               \
	SEC("fexit/" SYSCALL_PREFIX #function)                          \
	int BPF_PROG(leave_##number, struct pt_regs *regs, long result) \
	{                                                               \
		struct task_struct *task = bpf_get_current_task_btf();  \
		struct sw_task *t = traced(task);                       \
                                                                        \
		if (t && t->call)                                       \
			end(t, task, kind, regs, result);               \
		return 0;                                               \
	}

EVERY_CALL(ON_CALL)

/* Transfers of 32-bit programs, which are not looked at. */
#define ON_COMPAT(function)                                   \
	SEC("fentry/" COMPAT_PREFIX #function)                \
	int BPF_PROG(compat_##function, struct pt_regs *regs) \
	{                                                     \
		if (traced(bpf_get_current_task_btf()))       \
			COUNT(compat, 1);                     \
		return 0;                                     \
	}

EVERY_COMPAT_CALL(ON_COMPAT)

/* All system calls, elsewhere. */
SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);

	if (!t)
		return 0;
	settle_fault(t, task);
	if (number < 0 || number >= CALLS || is_compat(task)) {
		t->call = CALL_OTHER;
		COUNT(compat, 1);
		return 0;
	}
	begin(t, task, calls[number & (CALLS - 1)], regs);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);

	if (t && t->call)
		end(t, task, t->call, regs, result);
	return 0;
}

/*
 * Pages are looked up with the position's lock held: here the descriptor's position is this thread's own. Attached only
 * while descriptors are shared. Either of these two.
 */
SEC("fentry/filemap_read")
int BPF_PROG(read_pages, struct kiocb *request)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());

	if (t && t->call && t->call < CALL_PREAD) {
		t->position = request->ki_pos;
		t->argument = 1;
	}
	return 0;
}

SEC("tp_btf/mm_filemap_get_pages")
int BPF_PROG(get_pages, struct address_space *mapping)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());

	if (t && t->call && t->call < CALL_PREAD) {
		t->position = READ((struct file *)t->file, f_pos);
		t->argument = 1;
	}
	return 0;
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(add_to_page_cache, struct folio *folio)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());
	unsigned long flags;

	if (!t || (UNTRUSTED(folio)->mapping->host->i_mode & S_IFMT) != S_IFREG) /* not the file system's own blocks */
		return 0;
	if (bpf_core_type_exists(memdesc_flags_t))
		flags = folio->flags.f;
	else
		flags = ((struct folio___long *)folio)->flags;
	if (flags & (1UL << bpf_core_enum_value(enum pageflags, PG_head)))
		t->filled += 1U << (folio->_flags_1 & 0xff);
	else
		t->filled += 1;
	return 0;
}

/* Page faults: on functions where that is allowed, because they know the file and how long it took. */
SEC("fexit/filemap_map_pages")
int BPF_PROG(pages_mapped, struct vm_fault *fault, unsigned long first, unsigned long last, unsigned int result)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());
	struct file *file = fault->vma->vm_file;

	if (!t || !(result & VM_FAULT_NOPAGE))
		return 0;
	see_fault(t, (__u64)file->f_mapping, (__u64)file, first, last, 1);
	end_fault(t, 0);
	return 0;
}

SEC("fentry/filemap_fault")
int BPF_PROG(fault_begins, struct vm_fault *fault)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());
	struct file *file = fault->vma->vm_file;

	if (t)
		see_fault(t, (__u64)file->f_mapping, (__u64)file, fault->pgoff, fault->pgoff, 0);
	return 0;
}

SEC("fexit/filemap_fault")
int BPF_PROG(fault_ends, struct vm_fault *fault, unsigned int result)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());

	if (!t || !t->fault.mapping)
		return 0;
	if (result & VM_FAULT_ERROR)
		t->fault.mapping = 0;
	else
		end_fault(t, result & VM_FAULT_RETRY);
	return 0;
}

SEC("tp_btf/mm_filemap_map_pages")
int BPF_PROG(map_pages, struct address_space *mapping, unsigned long first, unsigned long last)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());

	if (t)
		see_fault(t, (__u64)mapping, 0, first, last, 1);
	return 0;
}

SEC("tp_btf/mm_filemap_fault")
int BPF_PROG(filemap_fault, struct address_space *mapping, unsigned long index)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());

	if (t)
		see_fault(t, (__u64)mapping, 0, index, index, 0);
	return 0;
}

static __always_inline void submit(struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *owner;
	struct sw_task *t;

	if (uring_op(READ(request, opcode)) < 0)
		return;
	t = traced(task);
	if (t) {
		uring_issue(t, task, request);
	} else if ((task->flags & PF_IO_WORKER) && has_function(bpf_task_from_pid)) {
		/* the ring's own thread submits for its process */
		owner = bpf_task_from_pid(task->tgid);
		if (!owner)
			return;
		t = traced(owner);
		if (t)
			uring_issue(t, task, request);
		bpf_task_release(owner);
	}
}

/* io_uring's tracepoints, and below what they were called and given before Linux 6.4 and 6.10. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit, struct io_kiocb *request)
{
	submit(request);
	return 0;
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(uring_submit_old, struct io_kiocb *request)
{
	submit(request);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete, struct io_ring_ctx *ring_context, void *request, struct io_uring_cqe *completion)
{
	complete((__u64)request, 0, READ(completion, res));
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete_old, void *ring_context, void *request, __u64 user_data, int result)
{
	complete((__u64)request, 0, result);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	if (is_wanted_child(parent, child) && begin_thread(child, 0))
		COUNT(lost_threads, 1);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *program)
{
	struct sw_task *t = known_thread(task);
	struct sw_scratch *s;
	struct mm_struct *mm;
	__u64 start, bytes;
	__u32 number;

	if (!t)
		return 0;
	t->dormant = 0;
	mark(task); /* a thread that calls execve takes its leader's id, which ended with the leader */
	t->fault.mapping = 0;
	s = take_scratch(&number);
	if (!s)
		return 0;
	mm = UNTRUSTED(task)->mm;
	start = mm->arg_start;
	bytes = mm->arg_end - start;
	if (bytes > TEXT_BYTES / 2)
		bytes = TEXT_BYTES / 2;
	if (bpf_probe_read_user(s->text, bytes, (void *)start))
		bytes = 0;
	s->exec.kind = SW_EXEC;
	s->exec.thread = t->thread;
	s->exec.start_ns = bpf_ktime_get_ns();
	__builtin_memcpy(s->exec.comm, task->comm, sizeof(s->exec.comm));
	send_record(&s->exec, sizeof(s->exec) + bytes);
	give_scratch(&number);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct sw_task *t = traced(task);

	if (!t)
		return 0;
	settle_fault(t, task);
	retract(t);
	end_thread_runs(t);
	send_thread_end(task, t, 1);
	t->ended = 1;
	t->call = CALL_NONE;
	unmark(task);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(cgroup_attach, struct cgroup *to)
{
	control.resweep = 1;
	return 0;
}

/* All threads of the machine: mark those that are wanted, or tell how those that are traced fared. */
SEC("iter/task")
int sweep_tasks(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct sw_task *t;

	if (!task)
		return 0;
	if (control.sweep != SW_SWEEP_END) {
		if (is_wanted(task) && begin_thread(task, 1)) {
			if (control.sweep == SW_SWEEP_TRY)
				control.left++;
			else
				COUNT(lost_threads, 1);
		}
		return 0;
	}
	t = known_thread(task);
	if (t && !t->dormant && !t->ended) {
		settle_fault(t, task);
		send_thread_end(task, t, 0);
	}
	return 0;
}

static long forget_if_closed(void *map, __u64 *address, struct sw_open_file *known, void *context)
{
	struct file *file = (struct file *)*address;

	if (!is_open(file) || !is_same_file(known->inode, known->ino, file))
		forget_open(address);
	return 0;
}

/* Run by the loader: forget open files whose end was not seen, which is that of those that end with a process. */
SEC("raw_tp")
int forget_closed(struct sw_flush *unused)
{
	bpf_for_each_map_elem(&opens, forget_if_closed, 0, 0);
	return 0;
}

static long flush_slot_at(__u32 i, struct sw_flush *flush)
{
	__u32 number = flush->first + i;
	struct sw_slot *slot = bpf_map_lookup_elem(&slots, &number);
	struct sw_key key;
	__u64 begun;

	if (!slot)
		return 1;
	key = slot->key;
	if (!key.file)
		return 0;
	begun = slot->head.run.start_ns;
	if (begun + slot->head.run.span_ns < flush->idle_before_ns)
		end_slot(&key, number);
	else if (begun < flush->begun_before_ns && lock_slot(slot)) {
		flush_slot(slot);
		unlock_slot(slot);
	}
	return 0;
}

/* Run by the loader: what directory is asked for. By number it would not do: some file systems tell stat(2) others. */
SEC("raw_tp")
int find_under(struct sw_under *under)
{
	__u64 address = address_of_fd(bpf_get_current_task_btf(), under->descriptor);

	control.under = (__u64)READ((struct file *)address, f_inode);
	return 0;
}

/* Run by the loader: end what is idle, send what is old. No tracepoint's: it is never attached. */
SEC("raw_tp")
int flush_heads(struct sw_flush *flush)
{
	struct sw_flush part = *flush;

	bpf_loop(part.count, flush_slot_at, &part, 0);
	return 0;
}
