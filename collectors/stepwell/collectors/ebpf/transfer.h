/* Reading, writing, opening and closing by system calls: what is noted when a call begins, and done when it ends. */
#ifndef STEPWELL_TRANSFER_H
#define STEPWELL_TRANSFER_H

#include "calls.h"
#include "vector.h"

#define EINTR 4
#define EAGAIN 11
#define MAX_DESCRIPTORS (1 << 20)

static __always_inline void begin_call(struct sw_task *t, struct task_struct *task, __u32 call)
{
	t->call = call;
	t->argument = 0;
	t->filled = 0;
	t->switches = task->nvcsw;
	t->start_ns = bpf_ktime_get_ns();
}

/* Tell of the call in progress that it reads much. */
WHOLE int announce(struct sw_task *t, __u32 op)
{
	struct sw_open_file *known;
	struct sw_call *call;
	__u64 address;

	if (!t)
		return 0;
	address = t->file;
	known = bpf_map_lookup_elem(&opens, &address);
	if (!known || !known->open || !is_same_file(known->inode, known->ino, (struct file *)address))
		return 0;
	call = &control.calls[t->thread & (SW_CALLS - 1)];
	call->start_ns = 0;
	barrier();
	call->open = known->open;
	call->offset = t->position;
	call->bytes = t->requested;
	call->thread = t->thread;
	call->op = op;
	barrier();
	call->start_ns = t->start_ns;
	return 0;
}

/* The call in progress ends. */
static __always_inline void retract(struct sw_task *t)
{
	struct sw_call *call = &control.calls[t->thread & (SW_CALLS - 1)];

	if (t->requested >= SW_LARGE && call->thread == t->thread)
		call->start_ns = 0;
}

/* The offset of one side of a copying call: where the caller's variable says, or the descriptor's position. */
static __always_inline __u64 side_position(struct file *file, __u64 user)
{
	__u64 position = READ(file, f_pos);

	if (user && bpf_probe_read_user(&position, sizeof(position), (void *)user))
		COUNT(lost_vector, 1);
	return position;
}

static __always_inline __u32 op_of_copy(__u32 call)
{
	return call == CALL_SENDFILE ? SW_SENDFILE : call == CALL_SPLICE ? SW_SPLICE : SW_COPY;
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
	if (t->file && bytes >= SW_LARGE)
		announce(t, op_of_copy(call));
}

/* The descriptor `fd` is about to be closed. Returns the number of its open file if that ends with it, otherwise 0. */
WHOLE __u64 end_descriptor(struct sw_task *t, __u64 address)
{
	struct file *file = (struct file *)address;
	struct sw_open_file *known;

	if (!t || !address || !is_regular(file) || !is_last_reference(file))
		return 0;
	known = bpf_map_lookup_elem(&opens, &address);
	if (!known || (known->thread && known->thread != t->thread))
		control.epoch += 1;
	if (!known || !known->open)
		return 0;
	end_file(t, address, known->ops);
	return known->open;
}

static __always_inline void begin_close(struct sw_task *t, struct task_struct *task, __u32 call, __u64 fd)
{
	t->file = address_of_fd(task, fd);
	t->other = end_descriptor(t, t->file);
	if (t->other)
		begin_call(t, task, call);
}

/* dup2 and dup3 close their target, unless they fail or it is the same. */
static __always_inline void begin_dup(struct sw_task *t, struct task_struct *task, __u64 from, __u64 to)
{
	if (from != to && address_of_fd(task, from))
		begin_close(t, task, CALL_DUP, to);
}

static __always_inline int is_write(__u32 call)
{
	return call == CALL_WRITE || call == CALL_WRITEV || call == CALL_PWRITE || call >= CALL_PWRITEV;
}

static __always_inline void begin_transfer(struct sw_task *t, struct task_struct *task, __u32 call,
					   struct pt_regs *regs)
{
	struct file *file = file_of_fd(task, ARG1(regs));

	if (!file || !is_regular(file))
		return;
	t->file = (__u64)file;
	t->requested = ARG3(regs);
	t->appends = is_write(call) && appends(file, call == CALL_PWRITEV2 ? ARG6(regs) : 0);
	if (call == CALL_READV || call == CALL_WRITEV || call >= CALL_PREADV)
		t->requested = iovec_bytes(ARG2(regs), t->requested);
	if (call >= CALL_PREAD) {
		t->position = ARG4(regs);
		if (t->position == ~0ULL && call >= CALL_PREADV) /* preadv2 at the descriptor's position */
			call = call == CALL_PREADV ? CALL_READV : CALL_WRITEV;
	}
	if (call < CALL_PREAD) {
		t->position = READ(file, f_pos);
		if (!control.shared && (UNTRUSTED(task)->files->count.counter > 1 || !is_last_reference(file)))
			control.shared = 1;
	}
	begin_call(t, task, call);
	if (t->requested >= SW_LARGE && !is_write(call))
		announce(t, SW_READ);
}

/*
 * Where an access at the descriptor's position began. Somebody else may have moved it meanwhile (a shared descriptor):
 * then the position seen when pages were looked up is right, because the position's lock was held.
 */
static __always_inline void fix_position(struct sw_task *t, struct file *file, __u64 moved, struct sw_access *access)
{
	__u64 end = READ(file, f_pos);

	if (end - moved == access->offset || t->argument)
		return;
	access->offset = end - moved; /* rather moved while this thread waited for the lock than since */
	if (!t->appends)
		access->flags |= SW_ESTIMATED_OFFSET;
}

static __always_inline void end_error(struct sw_task *t, __u32 op, long result, __u64 now)
{
	struct sw_open_file *known;

	if (result < -511 || result == -EINTR || result == -EAGAIN) /* -512 and below restart the call */
		return;
	known = open_of(t->file, t, now);
	if (known && known->open)
		send_event(t, SW_EVENT_ERROR, op, known->open, -result);
}

/* The access that the call in progress was; kept with the thread, because the programs' stack is small. */
static __always_inline struct sw_access *access_of_call(struct sw_task *t, struct task_struct *task, long result,
							__u64 now)
{
	struct sw_access *access = &t->access;

	access->start_ns = t->start_ns;
	access->latency_ns = now - t->start_ns;
	access->offset = t->position;
	access->requested = t->requested;
	access->size = result;
	access->filled = t->filled;
	access->waited = task->nvcsw != t->switches;
	access->flags = 0;
	return access;
}

static __always_inline void end_transfer(struct sw_task *t, struct task_struct *task, __u32 call, long result,
					 __u64 now)
{
	struct file *file = (struct file *)t->file;
	__u32 op = is_write(call) ? SW_WRITE : SW_READ;
	struct sw_access *access;

	retract(t);
	if (result < 0) {
		end_error(t, op, result, now);
		return;
	}
	access = access_of_call(t, task, result, now);
	if (call < CALL_PREAD)
		fix_position(t, file, result, access);
	else if (t->appends) /* whatever the offset says */
		access->offset = READ(READ(file, f_inode), i_size) - result;
	add_access(t, t->file, op, access);
}

static __always_inline void end_copy(struct sw_task *t, struct task_struct *task, __u32 call, long result, __u64 now)
{
	__u32 op = op_of_copy(call);
	struct sw_access *access;

	retract(t);
	if (result < 0) {
		if (!t->file) {
			t->file = t->other;
			op = SW_WRITE;
		}
		end_error(t, op, result, now);
		return;
	}
	access = access_of_call(t, task, result, now);
	if (t->file)
		add_access(t, t->file, op, access);
	if (t->other) {
		access->offset = t->other_position;
		access->filled = 0;
		add_access(t, t->other, SW_WRITE, access);
	}
}

/* What open(2) was asked for and the open file does not show. */
static __always_inline __u32 creation_flags(__u32 call, struct pt_regs *regs)
{
	__u64 flags = 0;

	switch (call) {
	case CALL_OPEN_FLAGS:
		flags = ARG2(regs);
		break;
	case CALL_OPENAT:
		flags = ARG3(regs);
		break;
	case CALL_OPENAT2:
		if (bpf_probe_read_user(&flags, sizeof(flags), (void *)ARG3(regs)))
			COUNT(lost_vector, 1);
		break;
	case CALL_CREAT:
		flags = O_CREAT | O_TRUNC;
	}
	return flags & (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
}

/* A descriptor was just opened: a new open file, whatever was at its address before. */
static __always_inline void end_open(struct sw_task *t, struct task_struct *task, long result, __u64 now)
{
	struct sw_open_file fresh = {};
	struct sw_open_file *stale;
	struct file *file;
	__u64 address;

	if (result < 0)
		return;
	address = address_of_fd(task, result);
	file = (struct file *)address;
	if (!address || !is_regular(file))
		return;
	stale = bpf_map_lookup_elem(&opens, &address);
	if (stale && stale->thread)
		control.epoch += 1;
	fresh.inode = (__u64)READ(file, f_inode);
	fresh.ino = READ((struct inode *)fresh.inode, i_ino);
	fresh.open = send_open(t, address, t->start_ns, now - t->start_ns, 0);
	keep_open(&address, &fresh);
}

static __always_inline void end_close(struct sw_task *t)
{
	__u64 address = t->file;
	struct sw_open_file *known = bpf_map_lookup_elem(&opens, &address);

	if (known && known->open == t->other) /* else another thread has opened a file there already */
		forget_open(&address);
	send_event(t, SW_EVENT_CLOSE, 0, t->other, 0);
}

struct descriptors {
	__u64 first;
	__u64 last;
};

static long close_one(__u32 i, struct descriptors *range)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);

	if (!t || range->first + i > range->last || range->first + i >= UNTRUSTED(task)->files->fdt->max_fds)
		return 1;
	t->file = address_of_fd(task, range->first + i);
	t->other = end_descriptor(t, t->file);
	if (t->other)
		end_close(t);
	return 0;
}

/* All descriptors of a range are about to be closed, unless the flags make it a setting or another table's matter. */
static __always_inline void close_range(struct sw_task *t, __u64 first, __u64 last, __u64 flags)
{
	struct descriptors range = {first, last};

	if (flags)
		return;
	t->start_ns = bpf_ktime_get_ns();
	t->end_ns = t->start_ns;
	bpf_loop(MAX_DESCRIPTORS, close_one, &range, 0);
}

/* truncate or sync through a descriptor */
static __always_inline void end_on_descriptor(struct sw_task *t, struct task_struct *task, __u32 kind, __u64 fd,
					      __s64 value, __u64 now)
{
	__u64 address = address_of_fd(task, fd);
	struct sw_open_file *known;

	if (!address || !is_regular((struct file *)address))
		return;
	known = open_of(address, t, now);
	if (known && known->open)
		send_event(t, kind, 0, known->open, value);
}

/* Calls that name files by path. With --under they are not told of: whether a name is below is not known here. */
static __always_inline void end_named(struct sw_task *t, __u32 call, struct pt_regs *regs)
{
	const __s32 here = -100; /* AT_FDCWD */
	__u32 flags;

	if (knobs.filter.under)
		return;
	switch (call) {
	case CALL_UNLINK:
		send_path_event(t, SW_EVENT_UNLINK, ARG1(regs), here, 0);
		break;
	case CALL_UNLINKAT:
		send_path_event(t, SW_EVENT_UNLINK, ARG2(regs), ARG1(regs), 0);
		break;
	case CALL_RENAME:
		send_path_event(t, SW_EVENT_RENAME_FROM, ARG1(regs), here, 0);
		send_path_event(t, SW_EVENT_RENAME_TO, ARG2(regs), here, 0);
		break;
	case CALL_RENAMEAT:
	case CALL_RENAMEAT2:
		flags = call == CALL_RENAMEAT2 ? ARG5(regs) : 0;
		send_path_event(t, SW_EVENT_RENAME_FROM, ARG2(regs), ARG1(regs), flags);
		send_path_event(t, SW_EVENT_RENAME_TO, ARG4(regs), ARG3(regs), flags);
		break;
	case CALL_TRUNCATE:
		send_path_event(t, SW_EVENT_TRUNCATE, ARG1(regs), here, ARG2(regs));
		break;
	}
}

#endif
