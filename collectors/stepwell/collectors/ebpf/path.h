/*
 * Names of files as the traced thread sees them: the dentries from the file up to the thread's root, across mounts, as
 * d_path does. Components are written from the last to the first, each ended by NUL.
 */
#ifndef STEPWELL_PATH_H
#define STEPWELL_PATH_H

#include "state.h"

#define MAX_STEPS 8192 /* names of a path that text has room for, and mounts; or directories up to the root */
#define NAME_WORDS 32 /* NAME_MAX is 255 */

struct walk {
	__u64 dentry;
	__u64 mount;
	__u32 used; /* bytes of text */
	__u32 state; /* enum sw_open_flag */
	__u32 done;
	__u32 scratch; /* where the text is */
};

static __always_inline struct mount *mount_of(__u64 vfsmount)
{
	return (struct mount *)(vfsmount - bpf_core_field_offset(struct mount, mnt));
}

/* Append one name; room for the longest is kept behind TEXT_BYTES. */
static __always_inline void append_name(struct sw_scratch *s, struct walk *w, struct dentry *dentry)
{
	__u64 name = (__u64)READ(dentry, d_name.name);
	__u32 length = READ(dentry, d_name.len) & 0xff;
	__u32 at = w->used;

	if (at + length >= TEXT_BYTES) {
		w->state |= SW_OPEN_TRUNCATED_PATH;
		w->done = 1;
		return;
	}
	for (__u32 i = 0; i < NAME_WORDS; i++) {
		__u32 to = (at + i * 8) & (TEXT_BYTES * 2 - 1);

		if (i * 8 >= length || to > TEXT_BYTES + TEXT_SLACK - 8)
			break;
		*(__u64 *)(s->text + to) = load(name + i * 8);
	}
	at += length;
	if (at < TEXT_BYTES)
		s->text[at] = 0;
	w->used = at + 1;
}

static long walk_step(__u32 i, struct walk *w)
{
	struct fs_struct *fs = UNTRUSTED(bpf_get_current_task_btf())->fs;
	struct sw_scratch *s = bpf_map_lookup_elem(&scratches, &w->scratch);
	struct dentry *dentry = (struct dentry *)w->dentry;
	struct mount *mount = mount_of(w->mount);
	__u64 parent = (__u64)READ(dentry, d_parent);

	if (!s || w->done)
		return 1;
	if (w->dentry == (__u64)fs->root.dentry && w->mount == (__u64)fs->root.mnt) {
		w->done = 1;
		return 1;
	}
	if (w->dentry == (__u64)READ(mount, mnt.mnt_root) || w->dentry == parent) {
		__u64 up = (__u64)READ(mount, mnt_parent);

		/* The top of a tree that is not below the thread's root: a detached or internal mount, or a name
		 * outside a chroot. It has no path there. */
		if (up == (__u64)mount || w->dentry != (__u64)READ(mount, mnt.mnt_root)) {
			w->state |= SW_OPEN_NO_PATH;
			w->done = 1;
			return 1;
		}
		w->dentry = (__u64)READ(mount, mnt_mountpoint);
		w->mount = up + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	append_name(s, w, dentry);
	w->dentry = parent;
	return 0;
}

/* Write the components of the path from `dentry` on `mount` up to the root, behind w->used bytes of text. */
static __always_inline void walk_path(struct walk *w)
{
	bpf_loop(MAX_STEPS, walk_step, w, 0);
	if (!w->done)
		w->state |= SW_OPEN_TRUNCATED_PATH;
}

/* Begin at the name by which the file was opened. */
static __always_inline void walk_from(struct walk *w, struct file *file)
{
	/* A mapping of an overlay file holds the file below; the one that was opened is kept beside it. */
	if (bpf_core_field_exists(struct backing_file, user_path) && is_backing(file)) {
		struct backing_file *backing = (struct backing_file *)file;

		w->dentry = (__u64)READ(backing, user_path.dentry);
		w->mount = (__u64)READ(backing, user_path.mnt);
	} else {
		w->dentry = (__u64)READ(file, f_path.dentry);
		w->mount = (__u64)READ(file, f_path.mnt);
	}
}

/* A way up to the root, with or without leaving the file system for the directory it is mounted on. */
struct climb {
	__u64 dentry;
	__u64 mount; /* 0: stay in the file system */
	__u64 found;
};

static long climb_step(__u32 i, struct climb *c)
{
	struct dentry *dentry = (struct dentry *)c->dentry;
	__u64 parent = (__u64)READ(dentry, d_parent);

	if ((__u64)READ(dentry, d_inode) == control.under) {
		c->found = 1;
		return 1;
	}
	if (c->mount) {
		struct mount *mount = mount_of(c->mount);
		struct mount *up = READ(mount, mnt_parent);

		if (c->dentry == (__u64)READ(mount, mnt.mnt_root) && up != mount) {
			c->dentry = (__u64)READ(mount, mnt_mountpoint);
			c->mount = (__u64)up + bpf_core_field_offset(struct mount, mnt);
			return 0;
		}
	}
	c->dentry = parent;
	return parent == (__u64)dentry;
}

/*
 * Is the name below the directory that is asked for? By the mounts that lead to it, whatever the thread's root is; or
 * in its file system, of which another part may be mounted here.
 */
static __always_inline int is_under(struct walk *from)
{
	struct climb c = {.dentry = from->dentry, .mount = from->mount};

	bpf_loop(MAX_STEPS, climb_step, &c, 0);
	if (!c.found) {
		c.dentry = from->dentry;
		c.mount = 0;
		bpf_loop(MAX_STEPS, climb_step, &c, 0);
	}
	return c.found;
}

#endif
