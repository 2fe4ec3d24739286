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
	CALL_PWRITEV2, /* with flags */
	CALL_SENDFILE,
	CALL_SPLICE,
	CALL_COPY,
	CALL_OPEN, /* without flags */
	CALL_OPEN_FLAGS,
	CALL_OPENAT,
	CALL_OPENAT2,
	CALL_CREAT,
	CALL_CLOSE,
	CALL_DUP, /* dup2, dup3: closes the target */
	CALL_CLOSE_RANGE,
	CALL_UNLINK,
	CALL_UNLINKAT,
	CALL_RENAME,
	CALL_RENAMEAT,
	CALL_RENAMEAT2,
	CALL_TRUNCATE,
	CALL_FTRUNCATE,
	CALL_SYNC,
	CALL_IO_SUBMIT,
	CALL_IO_GETEVENTS,
	CALL_IO_PGETEVENTS,
	CALL_URING_ENTER,
	CALL_OTHER,
};

/* Each system call: its number's name, the name of the kernel's function for it, and what it is looked at as. */
#define EVERY_CALL(CALL)                                       \
	CALL(read, read, CALL_READ)                            \
	CALL(write, write, CALL_WRITE)                         \
	CALL(readv, readv, CALL_READV)                         \
	CALL(writev, writev, CALL_WRITEV)                      \
	CALL(pread64, pread64, CALL_PREAD)                     \
	CALL(pwrite64, pwrite64, CALL_PWRITE)                  \
	CALL(preadv, preadv, CALL_PREADV)                      \
	CALL(pwritev, pwritev, CALL_PWRITEV)                   \
	CALL(preadv2, preadv2, CALL_PREADV)                    \
	CALL(pwritev2, pwritev2, CALL_PWRITEV2)                \
	CALL(sendfile, sendfile64, CALL_SENDFILE)              \
	CALL(splice, splice, CALL_SPLICE)                      \
	CALL(copy_file_range, copy_file_range, CALL_COPY)      \
	CALL(openat, openat, CALL_OPENAT)                      \
	CALL(openat2, openat2, CALL_OPENAT2)                   \
	CALL(open_by_handle_at, open_by_handle_at, CALL_OPEN)  \
	CALL(memfd_create, memfd_create, CALL_OPEN)            \
	CALL(close, close, CALL_CLOSE)                         \
	CALL(dup3, dup3, CALL_DUP)                             \
	CALL(close_range, close_range, CALL_CLOSE_RANGE)       \
	CALL(unlinkat, unlinkat, CALL_UNLINKAT)                \
	CALL(renameat, renameat, CALL_RENAMEAT)                \
	CALL(renameat2, renameat2, CALL_RENAMEAT2)             \
	CALL(truncate, truncate, CALL_TRUNCATE)                \
	CALL(ftruncate, ftruncate, CALL_FTRUNCATE)             \
	CALL(fsync, fsync, CALL_SYNC)                          \
	CALL(fdatasync, fdatasync, CALL_SYNC)                  \
	CALL(sync_file_range, sync_file_range, CALL_SYNC)      \
	CALL(io_submit, io_submit, CALL_IO_SUBMIT)             \
	CALL(io_getevents, io_getevents, CALL_IO_GETEVENTS)    \
	CALL(io_pgetevents, io_pgetevents, CALL_IO_PGETEVENTS) \
	CALL(io_uring_enter, io_uring_enter, CALL_URING_ENTER) \
	EVERY_OLD_CALL(CALL)

/* Those that only the older architectures have. */
#ifdef __NR_open
#define EVERY_OLD_CALL(CALL)              \
	CALL(open, open, CALL_OPEN_FLAGS) \
	CALL(creat, creat, CALL_CREAT)    \
	CALL(dup2, dup2, CALL_DUP)        \
	CALL(unlink, unlink, CALL_UNLINK) \
	CALL(rename, rename, CALL_RENAME)
#else
#define EVERY_OLD_CALL(CALL)
#endif

/* The same of 32-bit programs on x86. */
#if defined(__TARGET_ARCH_x86)
#define SYSCALL_PREFIX "__x64_sys_"
#define COMPAT_PREFIX "__ia32_"
#define EVERY_COMPAT_CALL(CALL) \
	CALL(sys_read)          \
	CALL(sys_write)         \
	CALL(sys_readv)         \
	CALL(sys_writev)        \
	CALL(sys_ia32_pread64)  \
	CALL(sys_ia32_pwrite64) \
	CALL(compat_sys_preadv) \
	CALL(compat_sys_pwritev)
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_PREFIX "__arm64_sys_"
#define EVERY_COMPAT_CALL(CALL)
#endif

#define CALLS 512 /* a power of two above every system call number */

#define IN_TABLE(number, function, call) [__NR_##number] = call,
static const __u8 calls[CALLS] = {EVERY_CALL(IN_TABLE)};

#endif
