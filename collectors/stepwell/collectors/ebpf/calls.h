/* Which system calls are looked at, and as what. */
#ifndef STEPWELL_CALLS_H
#define STEPWELL_CALLS_H

#include <asm/unistd.h>

enum call {
	CALL_NONE,
	CALL_READ, /* at the descriptor's position */
	CALL_WRITE,
	CALL_READV,
	CALL_WRITEV,
	CALL_PREAD, /* at an offset */
	CALL_PWRITE,
	CALL_PREADV,
	CALL_PWRITEV,
	CALL_SENDFILE,
	CALL_SPLICE,
	CALL_COPY,
	CALL_OPEN,
	CALL_CLOSE,
	CALL_DUP, /* dup2, dup3: closes the target */
	CALL_CLOSE_RANGE,
	CALL_UNLINK,
	CALL_UNLINKAT,
	CALL_RENAME,
	CALL_RENAMEAT,
	CALL_TRUNCATE,
	CALL_FTRUNCATE,
	CALL_SYNC,
	CALL_IO_SUBMIT,
	CALL_IO_GETEVENTS,
	CALL_IO_PGETEVENTS,
	CALL_URING_ENTER,
};

#define CALLS 512 /* a power of two above every system call number */

static const __u8 calls[CALLS] = {
	[__NR_read] = CALL_READ,
	[__NR_write] = CALL_WRITE,
	[__NR_readv] = CALL_READV,
	[__NR_writev] = CALL_WRITEV,
	[__NR_pread64] = CALL_PREAD,
	[__NR_pwrite64] = CALL_PWRITE,
	[__NR_preadv] = CALL_PREADV,
	[__NR_pwritev] = CALL_PWRITEV,
	[__NR_preadv2] = CALL_PREADV,
	[__NR_pwritev2] = CALL_PWRITEV,
	[__NR_sendfile] = CALL_SENDFILE,
	[__NR_splice] = CALL_SPLICE,
	[__NR_copy_file_range] = CALL_COPY,
	[__NR_openat] = CALL_OPEN,
	[__NR_openat2] = CALL_OPEN,
	[__NR_close] = CALL_CLOSE,
	[__NR_dup3] = CALL_DUP,
	[__NR_close_range] = CALL_CLOSE_RANGE,
	[__NR_unlinkat] = CALL_UNLINKAT,
	[__NR_renameat2] = CALL_RENAMEAT,
	[__NR_truncate] = CALL_TRUNCATE,
	[__NR_ftruncate] = CALL_FTRUNCATE,
	[__NR_fsync] = CALL_SYNC,
	[__NR_fdatasync] = CALL_SYNC,
	[__NR_sync_file_range] = CALL_SYNC,
	[__NR_io_submit] = CALL_IO_SUBMIT,
	[__NR_io_getevents] = CALL_IO_GETEVENTS,
	[__NR_io_pgetevents] = CALL_IO_PGETEVENTS,
	[__NR_io_uring_enter] = CALL_URING_ENTER,
#ifdef __NR_open
	[__NR_open] = CALL_OPEN,
	[__NR_creat] = CALL_OPEN,
	[__NR_dup2] = CALL_DUP,
	[__NR_unlink] = CALL_UNLINK,
	[__NR_rename] = CALL_RENAME,
#endif
#ifdef __NR_renameat
	[__NR_renameat] = CALL_RENAMEAT,
#endif
};

#endif
