/*
 * Asynchronous accesses. They join runs when they are issued, so that a sequential reader with many requests under way
 * is sequential; what came of them is told when it differs from what a regular file of that size gives.
 */
#ifndef STEPWELL_ASYNC_H
#define STEPWELL_ASYNC_H

#include "vector.h"

/* io_uring's opcodes, which are its ABI. */
enum {
	URING_READV = 1,
	URING_WRITEV = 2,
	URING_READ_FIXED = 4,
	URING_WRITE_FIXED = 5,
	URING_READ = 22,
	URING_WRITE = 23
};
enum { URING_READ_MULTISHOT = 49, URING_READV_FIXED = 60, URING_WRITEV_FIXED = 61 };
#define URING_FIXED_FILE 1 /* REQ_F_FIXED_FILE */

/* libaio's io_event, which is its ABI. */
struct io_event {
	__u64 data;
	__u64 iocb;
	__s64 result;
	__s64 result2;
};

enum { AIO_PREAD = 0, AIO_PWRITE = 1, AIO_PREADV = 7, AIO_PWRITEV = 8 };

/* What a transfer at `offset` moves when nothing goes wrong. */
static __always_inline __u64 expected_size(struct file *file, __u32 op, __u64 offset, __u64 requested)
{
	__u64 end = READ(READ(file, f_inode), i_size);

	if (op == SW_WRITE)
		return requested;
	if (offset >= end)
		return 0;
	return requested < end - offset ? requested : end - offset;
}

static const struct sw_request no_request = {};

/* `rw_flags` are those of preadv2. */
static __always_inline void issue(struct sw_task *t, __u64 address, struct sw_request_key *id, __u32 op, __u64 offset,
				  __u64 requested, __u32 rw_flags)
{
	struct file *file = (struct file *)address;
	struct sw_request *request;

	bpf_map_update_elem(&requests, id, &no_request, BPF_ANY);
	request = bpf_map_lookup_elem(&requests, id);
	if (!request) {
		COUNT(unmatched, 1);
		return;
	}
	request->access.flags = SW_ASYNC;
	if (op == SW_WRITE && appends(file, rw_flags)) {
		offset = READ(READ(file, f_inode), i_size);
		request->access.flags |= SW_ESTIMATED_OFFSET; /* others may be under way */
	} else if (offset == ~0ULL) {
		offset = READ(file, f_pos);
		request->access.flags |= SW_ESTIMATED_OFFSET;
	}
	request->key.file = address;
	request->key.thread = t->thread;
	request->key.op = op;
	request->access.start_ns = bpf_ktime_get_ns();
	request->access.offset = offset;
	request->access.requested = requested;
	request->access.size = expected_size(file, op, offset, requested);
	if (!add_access(t, address, op, &request->access))
		bpf_map_delete_elem(&requests, id);
}

/*
 * Whether handing a request over to io_uring made the thread wait until it was done: it slept in a call that waits for
 * nothing else.
 */
static __always_inline __u32 held_up(struct sw_request *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);

	return t && t->submits && t->thread == request->key.thread && task->nvcsw != t->switches;
}

WHOLE int complete(__u64 address, __u64 process, __s64 result)
{
	struct sw_request_key id = {address, process};
	struct sw_request *request = bpf_map_lookup_elem(&requests, &id);
	struct sw_result record = {.kind = SW_RESULT};
	struct sw_open_file *known;
	__u64 now = bpf_ktime_get_ns();

	if (!request)
		return 0;
	known = bpf_map_lookup_elem(&opens, &request->key.file);
	if (known && known->open) {
		if (result >= 0)
			add_latency(&request->key, known, now - request->access.start_ns,
				    request->access.waited || held_up(request), now);
		if (result != (__s64)request->access.size) {
			record.thread = request->key.thread;
			record.open = known->open;
			record.seq = request->access.seq;
			record.result = result;
			record.op = request->key.op;
			send_record(&record, sizeof(record));
		}
	} else {
		COUNT(unmatched, 1);
	}
	bpf_map_delete_elem(&requests, &id);
	return 0;
}

static __always_inline int uring_op(__u8 opcode)
{
	switch (opcode) {
	case URING_READ:
	case URING_READV:
	case URING_READ_FIXED:
	case URING_READ_MULTISHOT:
	case URING_READV_FIXED:
		return SW_READ;
	case URING_WRITE:
	case URING_WRITEV:
	case URING_WRITE_FIXED:
	case URING_WRITEV_FIXED:
		return SW_WRITE;
	}
	return -1;
}

static __always_inline int has_vector(__u8 opcode)
{
	return opcode == URING_READV || opcode == URING_WRITEV || opcode >= URING_READV_FIXED;
}

/* The request's file; at submission the kernel has looked at the descriptor's number only. */
static __always_inline __u64 uring_file(struct task_struct *task, struct io_kiocb *request)
{
	if (!(READ(request, flags) & URING_FIXED_FILE))
		return address_of_fd(task, READ(request, cqe.fd));
	if (bpf_core_type_exists(struct io_rsrc_data) && bpf_core_field_exists(struct io_rsrc_data, nodes)) {
		struct io_ring_ctx *ring_context = READ(request, ctx);
		__u64 number = (__u32)READ(request, cqe.fd);

		if (number >= READ(ring_context, file_table.data.nr))
			return 0;
		return READ((struct io_rsrc_node *)load((__u64)READ(ring_context, file_table.data.nodes) + number * 8),
			    file_ptr) &
		       ~7ULL;
	}
	if (bpf_core_field_exists(struct io_file_table___files, files)) {
		struct io_ring_ctx___files *ring_context = (struct io_ring_ctx___files *)READ(request, ctx);
		__u64 number = (__u32)READ(request, cqe.fd);

		if (number >= READ(ring_context, nr_user_files))
			return 0;
		return load((__u64)READ(ring_context, file_table.files) + number * 8) & ~7ULL;
	}
	return 0;
}

static __always_inline void uring_issue(struct sw_task *t, struct task_struct *task, struct io_kiocb *request)
{
	struct io_rw *rw = (struct io_rw *)request;
	struct sw_request_key id = {.id = (__u64)request};
	__u8 opcode = READ(request, opcode);
	int op = uring_op(opcode);
	__u64 address = uring_file(task, request);
	struct file *file = (struct file *)address;
	__u64 requested = READ(rw, len);

	if (!file || !is_regular(file))
		return;
	if (has_vector(opcode))
		requested = iovec_bytes(READ(rw, addr), requested);
	issue(t, address, &id, op, READ(rw, kiocb.ki_pos), requested, READ(rw, flags));
}

#endif
