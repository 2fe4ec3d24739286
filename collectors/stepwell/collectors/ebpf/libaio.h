/* Linux's own asynchronous I/O (libaio): requests are read from the caller's memory when they are handed over. */
#ifndef STEPWELL_LIBAIO_H
#define STEPWELL_LIBAIO_H

#include "async.h"
#include "transfer.h"

#define MAX_IOCBS 65536

struct iocb_batch {
	__u64 array;
	__u64 count;
	__s64 error;
};

static long issue_iocb(__u32 i, struct iocb_batch *batch)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sw_task *t = traced(task);
	struct sw_request_key id = {};
	struct iocb *one;
	struct file *file;
	__u64 address;
	__u32 op;

	if (!t || i >= batch->count)
		return 1;
	one = &t->iocb;
	if (bpf_probe_read_user(&id.id, sizeof(id.id), (void *)(batch->array + i * sizeof(__u64))) ||
	    bpf_probe_read_user(one, sizeof(*one), (void *)id.id)) {
		COUNT(lost_vector, 1);
		return 0;
	}
	if (one->opcode == AIO_PREAD || one->opcode == AIO_PREADV)
		op = SW_READ;
	else if (one->opcode == AIO_PWRITE || one->opcode == AIO_PWRITEV)
		op = SW_WRITE;
	else
		return 0;
	id.process = task->tgid;
	if (one->opcode >= AIO_PREADV)
		one->bytes = iovec_bytes(one->buffer, one->bytes);
	address = address_of_fd(task, one->fd);
	file = (struct file *)address;
	if (file && is_regular(file))
		issue(t, address, &id, op, one->offset, one->bytes, one->rw_flags);
	return 0;
}

/* Another thread may see requests complete before the call that issues them has ended, so they are noted before. */
static __always_inline void begin_io_submit(struct sw_task *t, struct task_struct *task, struct pt_regs *regs)
{
	struct iocb_batch batch = {.array = ARG3(regs), .count = ARG2(regs)};

	begin_call(t, task, CALL_IO_SUBMIT);
	bpf_loop(MAX_IOCBS, issue_iocb, &batch, 0);
}

/* The kernel took no request from the first that it refused on. */
static long refuse_iocb(__u32 i, struct iocb_batch *batch)
{
	__u64 iocb;

	if (i >= batch->count)
		return 1;
	if (!bpf_probe_read_user(&iocb, sizeof(iocb), (void *)(batch->array + i * sizeof(iocb))))
		complete(iocb, bpf_get_current_pid_tgid() >> 32, batch->error);
	batch->error = -EAGAIN;
	return 0;
}

/* The call slept: what it handed over was not under way beside the thread, but held it up. */
static long hold_up_iocb(__u32 i, struct iocb_batch *batch)
{
	struct sw_request_key id = {.process = bpf_get_current_pid_tgid() >> 32};
	struct sw_request *request;

	if (i >= batch->count)
		return 1;
	if (bpf_probe_read_user(&id.id, sizeof(id.id), (void *)(batch->array + i * sizeof(id.id))))
		return 0;
	request = bpf_map_lookup_elem(&requests, &id);
	if (request)
		request->access.waited = 1;
	return 0;
}

static __always_inline void end_io_submit(struct sw_task *t, struct task_struct *task, struct pt_regs *regs,
					  long result, __u64 now)
{
	__u64 taken = result > 0 ? result : 0;
	struct iocb_batch batch = {.array = ARG3(regs), .count = taken, .error = result < 0 ? result : -EAGAIN};

	if (task->nvcsw != t->switches) {
		t->async_wait_ns += now - t->start_ns;
		bpf_loop(MAX_IOCBS, hold_up_iocb, &batch, 0);
	}
	if (taken >= ARG2(regs))
		return;
	batch.array = ARG3(regs) + taken * sizeof(__u64);
	batch.count = ARG2(regs) - taken;
	bpf_loop(MAX_IOCBS, refuse_iocb, &batch, 0);
}

static long complete_event(__u32 i, struct iocb_batch *batch)
{
	struct io_event one;

	if (i >= batch->count)
		return 1;
	if (bpf_probe_read_user(&one, sizeof(one), (void *)(batch->array + i * sizeof(one)))) {
		COUNT(lost_vector, 1);
		return 0;
	}
	complete(one.iocb, bpf_get_current_pid_tgid() >> 32, one.result);
	return 0;
}

static __always_inline void end_wait(struct sw_task *t, struct task_struct *task, __u32 call, struct pt_regs *regs,
				     long result, __u64 now)
{
	struct iocb_batch batch = {.array = ARG4(regs), .count = result};

	if (task->nvcsw != t->switches)
		t->async_wait_ns += now - t->start_ns;
	t->submits = 0;
	if (result > 0 && call != CALL_URING_ENTER)
		bpf_loop(MAX_IOCBS, complete_event, &batch, 0);
}

#endif
