// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
/*
 * The collector's programs: system calls, page faults, io_uring, and the life of threads. Thin entries; what they do
 * stands in the headers beside this file.
 */
#include "async.h"
#include "calls.h"
#include "faults.h"
#include "threads.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAX_ERRNO 4095
#define EINTR 4
#define EAGAIN 11
#define MAX_IOVECS 1024
#define MAX_IOCBS 4096

extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym __weak;

struct iovec_sum {
	__u64 user;
	__u64 count;
	__u64 bytes;
	__u64 failed;
};

struct user_iovec {
	__u64 base;
	__u64 bytes;
};

static long add_iovec(__u32 i, struct iovec_sum *sum)
{
	struct user_iovec one;

	if (i >= sum->count)
		return 1;
	if (bpf_probe_read_user(&one, sizeof(one), (void *)(sum->user + i * sizeof(one)))) {
		sum->failed = 1;
		return 1;
	}
	sum->bytes += one.bytes;
	return 0;
}

/* Bytes asked for by an iovec array of the caller. */
static __noinline __u64 iovec_bytes(__u64 user, __u64 count)
{
	struct iovec_sum sum = {.user = user, .count = count};

	if (count > MAX_IOVECS)
		return 0;
	bpf_loop(count, add_iovec, &sum, 0);
	if (sum.failed)
		COUNT(lost_vector, 1);
	return sum.bytes;
}

static __always_inline void begin_call(struct sw_task *t, struct task_struct *task, __u32 call)
{
	t->call = call;
	t->argument = 0;
	t->filled = 0;
	t->switches = task->nvcsw;
	t->start_ns = bpf_ktime_get_ns();
}

/* The offset of one side of a copying call: where the caller's variable says, or the descriptor's position. */
static __always_inline __u64 side_position(struct file *file, __u64 user)
{
	__u64 position = file->f_pos;

	if (user && bpf_probe_read_user(&position, sizeof(position), (void *)user))
		COUNT(lost_vector, 1);
	return position;
}

/* Begin a call that moves bytes from `in` to `out` inside the kernel. Only regular files are looked at. */
static __always_inline void begin_copy(struct sw_task *t, struct task_struct *task, __u32 call, __u64 in, __u64 in_user,
				       __u64 out, __u64 out_user, __u64 bytes)
{
	struct file *file = file_of_fd(task, in);
	struct file *other = file_of_fd(task, out);

	t->file = 0;
	t->other = 0;
	if (file && is_regular(file)) {
		t->file = (__u64)file;
		t->position = side_position(file, in_user);
	}
	if (other && is_regular(other)) {
		t->other = (__u64)other;
		t->other_position = side_position(other, out_user);
	}
	t->requested = bytes;
	if (t->file || t->other)
		begin_call(t, task, call);
}

/* The descriptor `fd` is about to be closed. */
static __always_inline void begin_close(struct sw_task *t, struct task_struct *task, __u32 call, __u64 fd)
{
	struct file *file = file_of_fd(task, fd);
	__u64 address = (__u64)file;
	struct sw_open_file *known;

	if (!file || !is_regular(file))
		return;
	known = bpf_map_lookup_elem(&opens, &address);
	if (!known || !known->open || !is_last_reference(file))
		return;
	end_file(t, address, known->ops);
	t->file = address;
	t->other = known->open;
	begin_call(t, task, call);
}

static __always_inline void begin_transfer(struct sw_task *t, struct task_struct *task, __u32 call, struct pt_regs *regs)
{
	struct file *file = file_of_fd(task, ARG1(regs));

	if (!file || !is_regular(file))
		return;
	t->file = (__u64)file;
	t->requested = ARG3(regs);
	if (call == CALL_READV || call == CALL_WRITEV || call == CALL_PREADV || call == CALL_PWRITEV)
		t->requested = iovec_bytes(ARG2(regs), t->requested);
	if (call >= CALL_PREAD) {
		t->position = ARG4(regs);
		if (t->position == ~0ULL && call >= CALL_PREADV) /* preadv2 at the descriptor's position */
			call = call == CALL_PREADV ? CALL_READV : CALL_WRITEV;
	}
	if (call < CALL_PREAD) {
		t->position = file->f_pos;
		if (!control.shared && (task->files->count.counter > 1 || !is_last_reference(file)))
			control.shared = 1;
	}
	begin_call(t, task, call);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);
	__u32 call;

	if (!t)
		return 0;
	if (t->fault.mapping)
		settle_fault(t, task);
	t->call = CALL_NONE;
	if (number < 0 || number >= CALLS || is_compat(task)) {
		COUNT(compat, 1);
		return 0;
	}
	call = calls[number & (CALLS - 1)];
	switch (call) {
	case CALL_NONE:
		break;
	case CALL_READ ... CALL_PWRITEV:
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
		begin_close(t, task, call, ARG2(regs));
		break;
	default:
		begin_call(t, task, call);
	}
	return 0;
}

/*
 * Where an access at the descriptor's position began. Somebody else may have moved it meanwhile (a shared descriptor):
 * then the position seen when pages were looked up is right, because the position's lock was held.
 */
static __always_inline void fix_position(struct sw_task *t, struct file *file, __u64 moved, int writes,
					 struct sw_access *access)
{
	__u64 end = file->f_pos;

	if (end - moved == access->offset || t->argument)
		return;
	if (writes && (file->f_flags & O_APPEND))
		access->offset = end - moved;
	else
		access->flags |= SW_ESTIMATED_OFFSET;
}

static __always_inline void end_error(struct sw_task *t, struct file *file, __u32 op, long result, __u64 now)
{
	struct sw_open_file *known;

	if (result < -511 || result == -EINTR || result == -EAGAIN) /* -512 and below restart the call */
		return;
	known = open_of(file, t, now);
	if (known && known->open)
		send_event(t, 6 /* error */, op, known->open, -result);
}

static __always_inline void end_transfer(struct sw_task *t, struct task_struct *task, __u32 call, long result, __u64 now)
{
	struct file *file = typed(t->file, struct file);
	int writes = call == CALL_WRITE || call == CALL_WRITEV || call == CALL_PWRITE || call == CALL_PWRITEV;
	struct sw_access access = {};

	if (result < 0) {
		end_error(t, file, writes ? SW_WRITE : SW_READ, result, now);
		return;
	}
	access.start_ns = t->start_ns;
	access.latency_ns = now - t->start_ns;
	access.offset = t->position;
	access.requested = t->requested;
	access.size = result;
	access.filled = t->filled;
	access.waited = task->nvcsw != t->switches;
	if (call < CALL_PREAD)
		fix_position(t, file, result, writes, &access);
	else if (writes && (file->f_flags & O_APPEND)) /* Linux appends whatever the offset says */
		access.offset = file->f_inode->i_size - result;
	add_access(t, file, writes ? SW_WRITE : SW_READ, &access);
}

static __always_inline void end_copy(struct sw_task *t, struct task_struct *task, __u32 call, long result, __u64 now)
{
	struct sw_access access = {};
	__u32 op = call == CALL_SENDFILE ? SW_SENDFILE : call == CALL_SPLICE ? SW_SPLICE : SW_COPY;

	if (result < 0) {
		if (t->file)
			end_error(t, typed(t->file, struct file), op, result, now);
		return;
	}
	access.start_ns = t->start_ns;
	access.latency_ns = now - t->start_ns;
	access.requested = t->requested;
	access.size = result;
	access.filled = t->filled;
	access.waited = task->nvcsw != t->switches;
	if (t->file) {
		access.offset = t->position;
		add_access(t, typed(t->file, struct file), op, &access);
	}
	if (t->other) {
		struct file *other = typed(t->other, struct file);

		access.offset = other->f_flags & O_APPEND ? other->f_pos - result : t->other_position;
		access.filled = 0;
		add_access(t, other, SW_WRITE, &access);
	}
}

/* A descriptor was just opened: a new open file, whatever was at its address before. */
static __always_inline void end_open(struct sw_task *t, struct task_struct *task, long result, __u64 now)
{
	struct sw_open_file fresh = {};
	struct file *file;
	__u64 address;

	if (result < 0)
		return;
	file = file_of_fd(task, result);
	if (!file || !is_regular(file))
		return;
	address = (__u64)file;
	fresh.inode = (__u64)file->f_inode;
	fresh.ino = file->f_inode->i_ino;
	fresh.open = send_open(address, t->thread, t->start_ns, now - t->start_ns, 0);
	bpf_map_update_elem(&opens, &address, &fresh, BPF_ANY);
}

static __always_inline void end_close(struct sw_task *t)
{
	__u64 address = t->file;

	bpf_map_delete_elem(&opens, &address);
	send_event(t, 0 /* close */, 0, t->other, 0);
}

/* truncate or sync through a descriptor */
static __always_inline void end_on_descriptor(struct sw_task *t, struct task_struct *task, __u32 kind, __u64 fd,
					      __s64 value, __u64 now)
{
	struct file *file = file_of_fd(task, fd);
	struct sw_open_file *known;

	if (!file || !is_regular(file))
		return;
	known = open_of(file, t, now);
	if (known && known->open)
		send_event(t, kind, 0, known->open, value);
}

struct iocb_batch {
	__u64 array;
	__u64 count;
};

static long issue_iocb(__u32 i, struct iocb_batch *batch)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);
	struct sw_request_key id = {};
	struct iocb one;
	struct file *file;
	__u32 op;

	if (!t || i >= batch->count)
		return 1;
	if (bpf_probe_read_user(&id.id, sizeof(id.id), (void *)(batch->array + i * sizeof(__u64))) ||
	    bpf_probe_read_user(&one, sizeof(one), (void *)id.id)) {
		COUNT(lost_vector, 1);
		return 0;
	}
	if (one.opcode == AIO_PREAD || one.opcode == AIO_PREADV)
		op = SW_READ;
	else if (one.opcode == AIO_PWRITE || one.opcode == AIO_PWRITEV)
		op = SW_WRITE;
	else
		return 0;
	id.process = task->tgid;
	if (one.opcode >= AIO_PREADV)
		one.bytes = iovec_bytes(one.buffer, one.bytes);
	file = file_of_fd(task, one.fd);
	if (file && is_regular(file))
		issue(t, file, &id, op, one.offset, one.bytes);
	return 0;
}

static long complete_event(__u32 i, struct iocb_batch *batch)
{
	struct sw_request_key id = {.process = bpf_get_current_pid_tgid() >> 32};
	struct io_event one;

	if (i >= batch->count)
		return 1;
	if (bpf_probe_read_user(&one, sizeof(one), (void *)(batch->array + i * sizeof(one)))) {
		COUNT(lost_vector, 1);
		return 0;
	}
	id.id = one.iocb;
	complete(&id, one.result);
	return 0;
}

static __always_inline void end_aio(struct sw_task *t, struct task_struct *task, __u32 call, struct pt_regs *regs,
				    long result, __u64 now)
{
	struct iocb_batch batch = {.count = result};

	if (call != CALL_IO_SUBMIT && task->nvcsw != t->switches)
		t->async_wait_ns += now - t->start_ns;
	if (result <= 0)
		return;
	if (call == CALL_IO_SUBMIT) {
		batch.array = ARG3(regs);
		bpf_loop(MAX_IOCBS, issue_iocb, &batch, 0);
	} else if (call != CALL_URING_ENTER) {
		batch.array = ARG4(regs);
		bpf_loop(MAX_IOCBS, complete_event, &batch, 0);
	}
}

/* Calls that name files by path. With --under they are not told of: whether a name is below is not known here. */
static __always_inline void end_named(struct sw_task *t, __u32 call, struct pt_regs *regs)
{
	const __s32 here = -100; /* AT_FDCWD */

	if (knobs.filter.under_ino)
		return;
	switch (call) {
	case CALL_UNLINK:
		send_path_event(t, 1 /* unlink */, ARG1(regs), here, 0);
		break;
	case CALL_UNLINKAT:
		send_path_event(t, 1, ARG2(regs), ARG1(regs), 0);
		break;
	case CALL_RENAME:
		send_path_event(t, 2 /* from */, ARG1(regs), here, 0);
		send_path_event(t, 3 /* to */, ARG2(regs), here, 0);
		break;
	case CALL_RENAMEAT:
		send_path_event(t, 2, ARG2(regs), ARG1(regs), 0);
		send_path_event(t, 3, ARG4(regs), ARG3(regs), 0);
		break;
	case CALL_TRUNCATE:
		send_path_event(t, 4 /* truncate */, ARG1(regs), here, ARG2(regs));
		break;
	}
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);
	__u64 now;
	__u32 call;

	if (!t || !t->call)
		return 0;
	call = t->call;
	t->call = CALL_NONE;
	now = bpf_ktime_get_ns();
	t->end_ns = now;
	switch (call) {
	case CALL_READ ... CALL_PWRITEV:
		end_transfer(t, task, call, result, now);
		break;
	case CALL_SENDFILE:
	case CALL_SPLICE:
	case CALL_COPY:
		end_copy(t, task, call, result, now);
		break;
	case CALL_OPEN:
		end_open(t, task, result, now);
		break;
	case CALL_CLOSE:
	case CALL_DUP:
		end_close(t);
		break;
	case CALL_FTRUNCATE:
		if (result == 0)
			end_on_descriptor(t, task, 4, ARG1(regs), ARG2(regs), now);
		break;
	case CALL_SYNC:
		if (result == 0)
			end_on_descriptor(t, task, 5, ARG1(regs), 0, now);
		break;
	case CALL_IO_SUBMIT:
	case CALL_IO_GETEVENTS:
	case CALL_IO_PGETEVENTS:
	case CALL_URING_ENTER:
		end_aio(t, task, call, regs, result, now);
		break;
	default:
		if (result == 0)
			end_named(t, call, regs);
	}
	return 0;
}

/*
 * Pages are looked up with the position's lock held: here the descriptor's position is this thread's own. Attached only
 * while descriptors are shared.
 */
SEC("tp_btf/mm_filemap_get_pages")
int BPF_PROG(get_pages, struct address_space *mapping)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());

	if (t && t->call && t->call < CALL_PREAD) {
		t->position = typed(t->file, struct file)->f_pos;
		t->argument = 1;
	}
	return 0;
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(add_to_page_cache, struct folio *folio)
{
	struct sw_task *t = traced(bpf_get_current_task_btf());
	unsigned long flags;

	if (!t)
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

SEC("tp_btf/mm_filemap_map_pages")
int BPF_PROG(map_pages, struct address_space *mapping, unsigned long first, unsigned long last)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);

	if (!t || t->call)
		return 0;
	settle_fault(t, task);
	hold_fault(t, task, (__u64)mapping, first, last, 1);
	return 0;
}

SEC("tp_btf/mm_filemap_fault")
int BPF_PROG(filemap_fault, struct address_space *mapping, unsigned long index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);

	if (!t || t->call) /* a fault inside a system call is the kernel's, on the caller's buffer */
		return 0;
	if (t->fault.around && t->fault.mapping == (__u64)mapping && t->fault.first <= index && index <= t->fault.last)
		t->fault.mapping = 0;
	settle_fault(t, task);
	hold_fault(t, task, (__u64)mapping, index, index, 0);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t;

	if (uring_op(request->opcode) < 0)
		return 0;
	t = traced(task);
	if (t) {
		uring_issue(t, task, request);
	} else if ((task->flags & PF_IO_WORKER) && has_function(bpf_task_from_pid)) {
		/* the ring's own thread submits for the one that made it */
		struct task_struct *owner = bpf_task_from_pid(request->tctx->task->pid);

		if (!owner)
			return 0;
		t = traced(owner);
		if (t)
			uring_issue(t, owner, request);
		bpf_task_release(owner);
	}
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(uring_complete, struct io_ring_ctx *ring_context, void *request, struct io_uring_cqe *completion)
{
	struct sw_request_key id = {.id = (__u64)request};

	complete(&id, completion->res);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	if (knobs.filter.scope == SW_SCOPE_TREE ? traced(parent) != 0 : is_wanted(child))
		begin_thread(child, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *program)
{
	struct sw_task *t = known_thread(task);
	struct sw_scratch *s = scratch();
	__u64 start, bytes;

	if (!t || !s)
		return 0;
	t->dormant = 0;
	t->fault.mapping = 0;
	start = task->mm->arg_start;
	bytes = task->mm->arg_end - start;
	if (bytes > TEXT_BYTES / 2)
		bytes = TEXT_BYTES / 2;
	if (bpf_probe_read_user(s->text, bytes, (void *)start))
		bytes = 0;
	s->exec.kind = SW_EXEC;
	s->exec.thread = t->thread;
	s->exec.start_ns = bpf_ktime_get_ns();
	__builtin_memcpy(s->exec.comm, task->comm, sizeof(s->exec.comm));
	send_record(&s->exec, sizeof(s->exec) + bytes);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct sw_task *t = traced(task);

	if (!t)
		return 0;
	settle_fault(t, task);
	end_thread_runs(t);
	send_thread_end(task, t, 1);
	t->call = CALL_NONE;
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
	if (control.sweep == SW_SWEEP_BEGIN) {
		if (is_wanted(task))
			begin_thread(task, 1);
		return 0;
	}
	t = traced(task);
	if (t)
		send_thread_end(task, t, 0);
	return 0;
}

static long flush_head(void *map, struct sw_key *key, __u32 *number, struct sw_flush *flush)
{
	struct sw_slot *slot = bpf_map_lookup_elem(&slots, number);
	__u64 begun;

	if (!slot)
		return 0;
	begun = slot->head.run.start_ns;
	if (begun + slot->head.run.span_ns < flush->idle_before_ns)
		end_slot(key, *number);
	else if (begun < flush->begun_before_ns && lock_slot(slot)) {
		flush_slot(slot);
		unlock_slot(slot);
	}
	return 0;
}

/* Run by the loader: end what is idle, send what is old. */
SEC("syscall")
int flush_heads(struct sw_flush *flush)
{
	struct sw_flush limits = *flush;

	bpf_for_each_map_elem(&heads, flush_head, &limits, 0);
	return 0;
}
