#define _GNU_SOURCE
#include "slow.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUCKETS 65536
#define MOST_NODES (1 << 20)

/* A file by path and inode: one that takes another's place is another. A node lives for ever. */
struct node {
	char *path;
	uint64_t inode, device, next;
};

static struct node nodes[MOST_NODES + 1];
static uint64_t buckets[BUCKETS], used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t node_of(const char *path, const struct stat *st)
{
	uint64_t hash = 14695981039346656037ull, found;

	for (const char *letter = path; *letter; letter++)
		hash = (hash ^ (unsigned char)*letter) * 1099511628211;
	hash = (hash ^ (hash >> 32)) % BUCKETS;
	pthread_mutex_lock(&lock);
	for (found = buckets[hash]; found; found = nodes[found].next)
		if (nodes[found].inode == st->st_ino && nodes[found].device == st->st_dev &&
		    !strcmp(nodes[found].path, path))
			break;
	if (!found) {
		if (used == MOST_NODES)
			die("more files than it has room for");
		found = ++used;
		nodes[found] = (struct node){strdup(path), st->st_ino, st->st_dev, buckets[hash]};
		buckets[hash] = found;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static int same(const struct node *node, const struct stat *st)
{
	return node->inode == st->st_ino && node->device == st->st_dev;
}

static void fill(struct fuse_attr *attr, const struct stat *st)
{
	*attr = (struct fuse_attr){
		.ino = st->st_ino,
		.size = st->st_size,
		.blocks = st->st_blocks,
		.atime = st->st_atim.tv_sec,
		.atimensec = st->st_atim.tv_nsec,
		.mtime = st->st_mtim.tv_sec,
		.mtimensec = st->st_mtim.tv_nsec,
		.ctime = st->st_ctim.tv_sec,
		.ctimensec = st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.blksize = 4096,
	};
}

void tree_begin(const char *source)
{
	struct stat st;

	if (stat(source, &st))
		die(source);
	node_of(source, &st);
}

uint64_t tree_inode(uint64_t node)
{
	return nodes[node].inode;
}

int tree_look_up(uint64_t parent, const char *name, struct fuse_entry_out *out)
{
	struct stat st;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", nodes[parent].path, name) >= (int)sizeof(path))
		return ENAMETOOLONG;
	if (lstat(path, &st))
		return errno;
	out->nodeid = node_of(path, &st);
	fill(&out->attr, &st);
	return 0;
}

int tree_describe(uint64_t node, struct fuse_attr *attr)
{
	struct stat st;

	if (lstat(nodes[node].path, &st))
		return errno;
	if (!same(&nodes[node], &st))
		return ESTALE;
	fill(attr, &st);
	return 0;
}

int tree_open(uint64_t node, int flags, int *fd)
{
	struct stat st;

	*fd = open(nodes[node].path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
	if (*fd < 0)
		return errno;
	if (!fstat(*fd, &st) && same(&nodes[node], &st))
		return 0;
	close(*fd);
	return ESTALE;
}

int tree_list(uint64_t handle, uint64_t offset, char *data, size_t room, size_t *used_room)
{
	DIR *directory = (DIR *)handle;
	struct dirent *entry;

	*used_room = 0;
	seekdir(directory, (long)offset);
	while ((entry = readdir(directory))) {
		size_t length = strlen(entry->d_name), size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
		struct fuse_dirent *out = (struct fuse_dirent *)(data + *used_room);

		if (*used_room + size > room)
			break;
		memset(out, 0, size);
		out->ino = entry->d_ino;
		out->off = telldir(directory);
		out->namelen = length;
		out->type = entry->d_type;
		memcpy(out->name, entry->d_name, length);
		*used_room += size;
	}
	return 0;
}

int tree_link(uint64_t node, char *data, size_t room, size_t *length)
{
	ssize_t got = readlink(nodes[node].path, data, room);

	*length = got < 0 ? 0 : got;
	return got < 0 ? errno : 0;
}

int tree_space(struct fuse_kstatfs *out)
{
	struct statvfs st;

	if (statvfs(nodes[1].path, &st))
		return errno;
	*out = (struct fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree,
		.bavail = st.f_bavail,
		.files = st.f_files,
		.ffree = st.f_ffree,
		.bsize = st.f_bsize,
		.namelen = NAME_MAX,
		.frsize = st.f_frsize,
	};
	return 0;
}
