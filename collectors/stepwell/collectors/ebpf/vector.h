/* Arrays of buffers in the caller's memory. */
#ifndef STEPWELL_VECTOR_H
#define STEPWELL_VECTOR_H

#include "heads.h"

#define MAX_IOVECS 1024

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
WHOLE __u64 iovec_bytes(__u64 user, __u64 count)
{
	struct iovec_sum sum = {.user = user, .count = count};

	if (count > MAX_IOVECS)
		return 0;
	bpf_loop(count, add_iovec, &sum, 0);
	if (sum.failed)
		COUNT(lost_vector, 1);
	return sum.bytes;
}

#endif
