/*
 * A storage with a known latency and bandwidth: a read-only FUSE file system over a directory, for one command.
 *
 *   slow [-l LATENCY_US] [-o OPEN_US] [-b BYTES_PER_SECOND] [-f NAME -x FACTOR] SOURCE MOUNT COMMAND...
 *
 * Each read takes LATENCY_US and then size / BYTES_PER_SECOND; SERVERS of them at once do not disturb each other. Each
 * open takes OPEN_US. Reads of the file NAME take FACTOR times as long. The mount is in a mount namespace of its own,
 * which ends with the command, as the file system does. It speaks the kernel's protocol itself (linux/fuse.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVERS 128
#define MOST_BYTES (1 << 20)
#define MOST_NODES 65536
#define LASTING 86400

static const char *slow_name = "";
static double latency_us, open_us, bytes_s = 1e12, factor = 1;
static int fuse_fd;

/* Paths by node, the first one is the root's; a node lives for ever. */
static char *nodes[MOST_NODES];
static uint64_t used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what)
{
	perror(what);
	exit(111);
}

static void pass(double us)
{
	struct timespec span = {(time_t)(us / 1e6), (long)((us - (time_t)(us / 1e6) * 1e6) * 1e3)};

	while (us > 0 && nanosleep(&span, &span))
		;
}

static void reply(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	struct fuse_out_header out = {sizeof(out) + (error ? 0 : size), -error, in->unique};
	struct iovec parts[] = {{&out, sizeof(out)}, {(void *)data, error ? 0 : size}};

	if (writev(fuse_fd, parts, 2) < 0 && errno != ENOENT)
		die("answer to the kernel");
}

static uint64_t node_of(const char *path)
{
	uint64_t found;

	pthread_mutex_lock(&lock);
	for (found = 0; found < used && strcmp(nodes[found], path); found++)
		;
	if (found == used) {
		if (used == MOST_NODES)
			exit(112);
		nodes[used++] = strdup(path);
	}
	pthread_mutex_unlock(&lock);
	return found + 1;
}

static int describe(uint64_t node, struct fuse_attr *attr)
{
	struct stat st;

	if (lstat(nodes[node - 1], &st))
		return errno;
	*attr = (struct fuse_attr){.ino = node,
				   .size = st.st_size,
				   .blocks = st.st_blocks,
				   .mtime = st.st_mtime,
				   .mode = st.st_mode,
				   .nlink = st.st_nlink,
				   .blksize = 4096};
	return 0;
}

static void look_up(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = {.entry_valid = LASTING, .attr_valid = LASTING};
	struct stat st;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", nodes[in->nodeid - 1], name) >= (int)sizeof(path) ||
	    lstat(path, &st)) {
		reply(in, ENOENT, NULL, 0);
		return;
	}
	out.nodeid = node_of(path);
	reply(in, describe(out.nodeid, &out.attr), &out, sizeof(out));
}

static void open_file(const struct fuse_in_header *in)
{
	struct fuse_open_out out = {0};
	int fd = open(nodes[in->nodeid - 1], O_RDONLY | O_CLOEXEC);

	pass(open_us);
	out.fh = fd;
	reply(in, fd < 0 ? errno : 0, &out, sizeof(out));
}

static void read_file(const struct fuse_in_header *in, const struct fuse_read_in *asked, char *data)
{
	const char *name = strrchr(nodes[in->nodeid - 1], '/');
	ssize_t size = pread((int)asked->fh, data, asked->size, asked->offset);

	pass((latency_us + (size > 0 ? size : 0) / bytes_s * 1e6) *
	     (name && !strcmp(name + 1, slow_name) ? factor : 1));
	reply(in, size < 0 ? errno : 0, data, size < 0 ? 0 : size);
}

static void begin(const struct fuse_in_header *in, const struct fuse_init_in *asked)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = asked->max_readahead,
		.flags = FUSE_ASYNC_READ | FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS,
		.max_background = SERVERS,
		.congestion_threshold = SERVERS,
		.max_write = 4096,
		.max_pages = MOST_BYTES / 4096,
	};
	reply(in, 0, &out, sizeof(out));
}

static void serve(const struct fuse_in_header *in, char *data)
{
	const void *argument = in + 1;
	struct fuse_attr_out attr = {.attr_valid = LASTING};

	switch (in->opcode) {
	case FUSE_INIT:
		begin(in, argument);
		break;
	case FUSE_LOOKUP:
		look_up(in, argument);
		break;
	case FUSE_GETATTR:
		reply(in, describe(in->nodeid, &attr.attr), &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		open_file(in);
		break;
	case FUSE_READ:
		read_file(in, argument, data);
		break;
	case FUSE_RELEASE:
		close((int)((const struct fuse_release_in *)argument)->fh);
		reply(in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(in, ENOSYS, NULL, 0);
	}
}

static void *server(void *unused)
{
	char *request = malloc(MOST_BYTES + 4096), *data = malloc(MOST_BYTES);

	if (!request || !data)
		die("memory");
	for (;;) {
		ssize_t got = read(fuse_fd, request, MOST_BYTES + 4096);

		if (got > 0)
			serve((struct fuse_in_header *)request, data);
		else if (errno == ENODEV)
			return unused;
		else if (errno != EINTR && errno != EAGAIN && errno != ENOENT)
			die("request of the kernel");
	}
}

int main(int argc, char **argv)
{
	char options[64];
	int option, status;
	pthread_t thread;
	pid_t child;

	while ((option = getopt(argc, argv, "+l:o:b:f:x:")) != -1) {
		switch (option) {
		case 'l':
			latency_us = atof(optarg);
			break;
		case 'o':
			open_us = atof(optarg);
			break;
		case 'b':
			bytes_s = atof(optarg);
			break;
		case 'f':
			slow_name = optarg;
			break;
		case 'x':
			factor = atof(optarg);
			break;
		default:
			return 110;
		}
	}
	if (argc - optind < 3)
		return 110;
	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_fd < 0)
		die("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse_fd);
	node_of(argv[optind]);
	if (unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) ||
	    mount("slow", argv[optind + 1], "fuse.slow", MS_NOSUID | MS_NODEV | MS_RDONLY, options))
		die("mount");
	for (int i = 0; i < SERVERS; i++)
		if (pthread_create(&thread, NULL, server, NULL))
			die("thread");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[optind + 2], argv + optind + 2);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("command");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
