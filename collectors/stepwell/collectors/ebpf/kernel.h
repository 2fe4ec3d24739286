/*
 * Reading kernel memory. What hangs from the current task is followed directly, because the verifier knows those types;
 * everything else is read with READ().
 */
#ifndef STEPWELL_KERNEL_H
#define STEPWELL_KERNEL_H

#include "vmlinux.h"

#include <linux/magic.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* Does this kernel have a function that is declared weak? */
#define has_function(function) ((__u64)(function) != 0)

extern int LINUX_KERNEL_VERSION __kconfig;

struct bpf_iter_task_vma {
	__u64 opaque[1];
};
extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task, __u64 addr) __ksym __weak;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it) __ksym __weak;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it) __ksym __weak;

/*
 * A member of a kernel structure at any address; 0 where nothing can be read. Lockdown in confidentiality mode refuses
 * bpf_probe_read_kernel, and kernels before 6.2 have no bpf_rdonly_cast: each takes what it has.
 */
#define READ(pointer, member)                                                                                     \
	({                                                                                                        \
		typeof(pointer) from_ = (pointer);                                                                \
		typeof(from_->member) value_;                                                                     \
		if (has_function(bpf_rdonly_cast))                                                                \
			value_ = ((typeof(from_))bpf_rdonly_cast(from_, bpf_core_type_id_kernel(typeof(*from_)))) \
					 ->member;                                                                \
		else                                                                                              \
			bpf_probe_read_kernel(&value_, sizeof(value_), &from_->member);                           \
		value_;                                                                                           \
	})

/*
 * The same pointer, no longer trusted by the verifier: of each pointer that is loaded through a trusted one it asks
 * whether that is to be trusted too, and goes through all types of the kernel for it, which takes a millisecond.
 */
#define UNTRUSTED(pointer)                                                                                 \
	((typeof(pointer))(has_function(bpf_rdonly_cast)                                                   \
				   ? bpf_rdonly_cast(pointer, bpf_core_type_id_kernel(typeof(*(pointer)))) \
				   : (pointer)))

#define VM_FAULT_ERROR 0x873 /* OOM, SIGBUS, HWPOISON, HWPOISON_LARGE, SIGSEGV, FALLBACK */
#define VM_FAULT_NOPAGE 0x100
#define VM_FAULT_RETRY 0x400
#define S_IFMT 0170000
#define S_IFREG 0100000
#define PF_KTHREAD 0x00200000
#define PF_IO_WORKER 0x00000010
#define TS_COMPAT 0x0002
#define O_CREAT 0100
#define O_EXCL 0200
#define O_NOCTTY 0400
#define O_TRUNC 01000
#define O_APPEND 02000
#define RWF_APPEND 0x10
#define RWF_NOAPPEND 0x20

/* Eight bytes at an address. `hash_len` is the one plain 64-bit member at offset 0 that every kernel's qstr has. */
static __always_inline __u64 load(__u64 address)
{
	return READ((struct qstr *)address, hash_len);
}

/* The open file that a descriptor leads to; 0 when there is none. */
static __always_inline __u64 address_of_fd(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = UNTRUSTED(task)->files->fdt;

	if (fd >= table->max_fds)
		return 0;
	return load((__u64)table->fd + fd * 8);
}

static __always_inline struct file *file_of_fd(struct task_struct *task, __u64 fd)
{
	return (struct file *)address_of_fd(task, fd);
}

static __always_inline int is_regular(struct file *file)
{
	struct inode *inode = READ(file, f_inode);

	return inode && (READ(inode, i_mode) & S_IFMT) == S_IFREG;
}

/* When a file's data last changed, in nanoseconds since 1970. Linux 6.7 renamed the member, 6.11 split it. */
static __always_inline __s64 mtime_ns(struct inode *inode)
{
	struct inode___underscore *underscore = (void *)inode;
	struct inode___timespec *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_mtime_sec))
		return READ(inode, i_mtime_sec) * 1000000000LL + READ(inode, i_mtime_nsec);
	if (bpf_core_field_exists(underscore->__i_mtime))
		return READ(underscore, __i_mtime.tv_sec) * 1000000000LL + READ(underscore, __i_mtime.tv_nsec);
	return READ(old, i_mtime.tv_sec) * 1000000000LL + READ(old, i_mtime.tv_nsec);
}

/* Do a file system's files hold no data, but what the kernel makes up when they are read? By the names of magic.h. */
static __always_inline int is_made_up(__u64 magic)
{
	switch (magic) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case SELINUX_MAGIC:
	case BPF_FS_MAGIC:
	case NSFS_MAGIC:
		return 1;
	}
	return 0;
}

/* Is it the file below that an overlay keeps for an open file? Linux 6.14 moved the flag. */
static __always_inline int is_backing(struct file *file)
{
	return READ(file, f_mode) & (LINUX_KERNEL_VERSION < KERNEL_VERSION(6, 14, 0) ? 1 << 25 : 1 << 24);
}

/* Does a write with these RWF_ flags go to the end of the file, whatever offset it has? */
static __always_inline int appends(struct file *file, __u32 flags)
{
	return (flags & RWF_APPEND) || ((READ(file, f_flags) & O_APPEND) && !(flags & RWF_NOAPPEND));
}

/* Is the descriptor that leads here the last reference to the open file? */
static __always_inline int is_last_reference(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref))
		return READ(file, f_ref.refcnt.counter) == 0; /* FILE_REF_ONEREF */
	return READ((struct file___count *)file, f_count.counter) == 1;
}

/* Is the memory of an open file that was seen earlier still an open file's? */
static __always_inline int is_open(struct file *file)
{
	if (bpf_core_field_exists(file->f_ref))
		return READ(file, f_ref.refcnt.counter) >= 0; /* otherwise FILE_REF_NOREF */
	return READ((struct file___count *)file, f_count.counter) > 0;
}

#if defined(__TARGET_ARCH_x86)
#define ARG1(regs) ((regs)->di)
#define ARG2(regs) ((regs)->si)
#define ARG3(regs) ((regs)->dx)
#define ARG4(regs) ((regs)->r10)
#define ARG5(regs) ((regs)->r8)
#define ARG6(regs) ((regs)->r9)
#elif defined(__TARGET_ARCH_arm64)
#define ARG1(regs) ((regs)->orig_x0)
#define ARG2(regs) ((regs)->regs[1])
#define ARG3(regs) ((regs)->regs[2])
#define ARG4(regs) ((regs)->regs[3])
#define ARG5(regs) ((regs)->regs[4])
#define ARG6(regs) ((regs)->regs[5])
#endif

/* Is this system call made by a 32-bit program? Its numbers and argument layout are other ones. */
static __always_inline int is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & TS_COMPAT;
#else
	return 0;
#endif
}

#endif
