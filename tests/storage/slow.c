/*
 * A storage with a known speed and known faults: a read-only FUSE file system over a directory.
 *
 *   slow [-c CONTROL] [NAME=VALUE]... SOURCE MOUNT [COMMAND...]
 *
 * With a command the mount is in a mount namespace of its own, which ends with the command, as the file system does,
 * and its exit code is passed on. Without, the mount is where it was told, for all to see, until SIGTERM, SIGINT or
 * umount. CONTROL is a file that settings can be changed in and counters read from while it runs. `slow.h` has the
 * names, `slow.py` says what they mean. It speaks the kernel's protocol itself (linux/fuse.h).
 */
#define _GNU_SOURCE
#include "slow.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct control *control;

static int fuse_fd;
static const char *mounted;

void die(const char *what)
{
	perror(what);
	_exit(111);
}

static void reply(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	struct fuse_out_header out = {sizeof(out) + (error ? 0 : size), -error, in->unique};
	struct iovec parts[] = {{&out, sizeof(out)}, {(void *)data, error ? 0 : size}};

	/* ENOENT: it was interrupted. ENODEV, EINVAL: the file system is being unmounted. */
	if (writev(fuse_fd, parts, 2) < 0 && errno != ENOENT && errno != ENODEV && errno != EINVAL)
		die("answer to the kernel");
}

static void look_up(const struct fuse_in_header *in, const char *name)
{
	uint64_t valid = control->settings.valid_ms;
	struct fuse_entry_out out = {
		.entry_valid = valid / 1000,
		.attr_valid = valid / 1000,
		.entry_valid_nsec = valid % 1000 * 1000000,
		.attr_valid_nsec = valid % 1000 * 1000000,
	};

	control->counters.lookups++;
	take(control->settings.lookup_us);
	reply(in, tree_look_up(in->nodeid, name, &out), &out, sizeof(out));
}

static void describe(const struct fuse_in_header *in)
{
	uint64_t valid = control->settings.valid_ms;
	struct fuse_attr_out out = {.attr_valid = valid / 1000, .attr_valid_nsec = valid % 1000 * 1000000};

	control->counters.getattrs++;
	take(control->settings.getattr_us);
	reply(in, tree_describe(in->nodeid, &out.attr), &out, sizeof(out));
}

static void open_file(const struct fuse_in_header *in, const struct fuse_open_in *asked)
{
	struct fuse_open_out out = {.open_flags = control->settings.direct ? FOPEN_DIRECT_IO : FOPEN_KEEP_CACHE};
	int error, fd;

	control->counters.opens++;
	take(control->settings.open_us);
	if (control->settings.refuse_direct && asked->flags & O_DIRECT) {
		reply(in, EINVAL, NULL, 0);
		return;
	}
	error = tree_open(in->nodeid, 0, &fd);
	out.fh = fd;
	reply(in, error, &out, sizeof(out));
}

static void open_directory(const struct fuse_in_header *in)
{
	struct fuse_open_out out = {0};
	int fd, error = tree_open(in->nodeid, O_DIRECTORY, &fd);

	if (!error)
		out.fh = (uintptr_t)fdopendir(fd);
	reply(in, error, &out, sizeof(out));
}

static void read_file(const struct fuse_in_header *in, const struct fuse_read_in *asked, char *data)
{
	uint64_t inode = tree_inode(in->nodeid), began = now_ns(), number;
	enum fate fate = begin_read(inode, asked->offset, asked->size, &number);
	ssize_t got = 0;
	int error = 0;

	if (fate == HUNG)
		return;
	if (fate == ANSWERED)
		got = pread((int)asked->fh, data, asked->size, asked->offset);
	if (fate == FAILED || got < 0)
		error = fate == FAILED ? (int)control->settings.fail_errno : errno;
	end_read(number, began, inode, error ? 0 : got);
	reply(in, error, data, error ? 0 : got);
}

static void begin(const struct fuse_in_header *in, const struct fuse_init_in *asked)
{
	struct settings *set = &control->settings;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = asked->max_readahead,
		.flags = FUSE_ASYNC_READ | FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS | FUSE_AUTO_INVAL_DATA |
			 (set->async_direct ? FUSE_ASYNC_DIO : 0),
		.max_background = set->background,
		.congestion_threshold = set->background,
		.max_write = 4096,
		.time_gran = 1,
		.max_pages = set->request_bytes / 4096,
	};
	reply(in, 0, &out, sizeof(out));
}

static void serve(const struct fuse_in_header *in, char *data)
{
	const void *argument = in + 1;
	const struct fuse_read_in *asked = argument;
	struct fuse_statfs_out space = {0};
	size_t size = 0;
	int error;

	switch (in->opcode) {
	case FUSE_INIT:
		begin(in, argument);
		break;
	case FUSE_LOOKUP:
		look_up(in, argument);
		break;
	case FUSE_GETATTR:
		describe(in);
		break;
	case FUSE_OPEN:
		open_file(in, argument);
		break;
	case FUSE_READ:
		read_file(in, asked, data);
		break;
	case FUSE_RELEASE:
		close((int)((const struct fuse_release_in *)argument)->fh);
		reply(in, 0, NULL, 0);
		break;
	case FUSE_OPENDIR:
		open_directory(in);
		break;
	case FUSE_READDIR:
		error = tree_list(asked->fh, asked->offset, data, asked->size, &size);
		reply(in, error, data, size);
		break;
	case FUSE_RELEASEDIR:
		closedir((DIR *)((const struct fuse_release_in *)argument)->fh);
		reply(in, 0, NULL, 0);
		break;
	case FUSE_READLINK:
		error = tree_link(in->nodeid, data, MOST_BYTES, &size);
		reply(in, error, data, size);
		break;
	case FUSE_STATFS:
		error = tree_space(&space.st);
		reply(in, error, &space, sizeof(space));
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(in, ENOSYS, NULL, 0);
	}
}

static void *server(void *once)
{
	char *request = malloc(MOST_BYTES + 4096), *data = malloc(MOST_BYTES);

	if (!request || !data)
		die("memory");
	prctl(PR_SET_TIMERSLACK, 1);
	do {
		ssize_t got = read(fuse_fd, request, MOST_BYTES + 4096);

		if (got > 0)
			serve((struct fuse_in_header *)request, data);
		else if (errno == ENODEV)
			_exit(0);
		else if (errno != EINTR && errno != EAGAIN && errno != ENOENT)
			die("request of the kernel");
	} while (!once);
	return NULL;
}

static void map(const char *path)
{
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;

	if (path && (fd < 0 || ftruncate(fd, sizeof(*control))))
		die(path);
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED | (path ? 0 : MAP_ANONYMOUS), fd, 0);
	if (control == MAP_FAILED)
		die("shared memory");
	control->settings.slow_percent = 100;
	control->settings.fail_errno = EIO;
	control->settings.valid_ms = 86400000;
	control->settings.servers = control->settings.background = 128;
	control->settings.request_bytes = MOST_BYTES;
}

/* Whether an argument is a setting; a wrong one is the end. */
static int set(const char *argument)
{
	const char *value = strchr(argument, '=');
	char *end;

	if (!value || argument[0] == '/' || argument[0] == '.')
		return 0;
#define EACH(name)                                                                                        \
	if (strlen(#name) == (size_t)(value - argument) && !strncmp(#name, argument, value - argument)) { \
		control->settings.name = strtoull(value + 1, &end, 10);                                   \
		if (!*end && end != value + 1)                                                            \
			return 1;                                                                         \
	}
	SETTINGS(EACH)
#undef EACH
	fprintf(stderr, "%s is no setting with a number\n", argument);
	exit(110);
}

static void look_ahead(uint64_t bytes)
{
	char path[64];
	struct stat st;
	FILE *knob;

	if (stat(mounted, &st))
		die(mounted);
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev), minor(st.st_dev));
	knob = fopen(path, "w");
	if (!knob || fprintf(knob, "%llu", (unsigned long long)bytes / 1024) < 0 || fclose(knob))
		die(path);
}

static int run(char **command)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("command");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char options[128], source[PATH_MAX];
	int at = 1, signal;
	sigset_t ending;
	pthread_t thread;

	if (argc > 2 && !strcmp(argv[1], "-c"))
		at = 3;
	map(at == 3 ? argv[2] : NULL);
	while (at < argc && set(argv[at]))
		at++;
	if (argc - at < 2) {
		fprintf(stderr, "slow [-c CONTROL] [NAME=VALUE]... SOURCE MOUNT [COMMAND...]\n");
		return 110;
	}
	if (!realpath(argv[at], source))
		die(argv[at]);
	tree_begin(source);
	mounted = argv[at + 1];
	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_fd < 0)
		die("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
		 fuse_fd);
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	if (argc - at > 2 && (unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, NULL)))
		die("mount namespace");
	if (argc - at == 2)
		sigprocmask(SIG_BLOCK, &ending, NULL);
	if (mount("slow", mounted, "fuse.slow", MS_NOSUID | MS_NODEV | MS_RDONLY, options))
		die("mount");
	server(&ending); /* the kernel's first request: what follows is answered by threads */
	for (uint64_t i = 0; i < control->settings.servers; i++)
		if (pthread_create(&thread, NULL, server, NULL))
			die("thread");
	if (control->settings.readahead_bytes)
		look_ahead(control->settings.readahead_bytes);
	control->ready = 1;
	if (argc - at > 2)
		return run(argv + at + 2);
	sigwait(&ending, &signal);
	umount2(mounted, MNT_DETACH);
	return 0;
}
