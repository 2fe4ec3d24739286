#include "spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include "trace/record.h"

#define BLOCK_MAGIC 0x4b4c4257

struct block {
	uint32_t magic;
	uint32_t kind;
	uint32_t record_size;
	uint32_t count;
	uint64_t text_bytes;
	uint32_t crc32;
	uint32_t reserved;
};

static const struct {
	size_t bytes;
	int has_text;
} kinds[SW_KINDS] = {
	[SW_RUN] = {SW_RUN_BYTES, 0},
	[SW_RUN_SHORT] = {SW_RUN_SHORT_BYTES, 0},
	[SW_THREAD] = {SW_THREAD_BYTES, 0},
	[SW_EXEC] = {SW_EXEC_BYTES, 1},
	[SW_THREAD_END] = {SW_THREAD_END_BYTES, 0},
	[SW_OPEN] = {SW_OPEN_BYTES, 1},
	[SW_EVENT] = {SW_EVENT_BYTES, 1},
	[SW_RESULT] = {SW_RESULT_BYTES, 0},
};

size_t sw_record_bytes(uint32_t kind)
{
	return kind < SW_KINDS ? kinds[kind].bytes : 0;
}

static int make_room(struct sw_bytes *to, size_t bytes)
{
	if (to->used + bytes > to->room) {
		size_t room = to->room ? to->room * 2 : 1 << 16;
		char *grown;

		while (room < to->used + bytes)
			room *= 2;
		grown = realloc(to->data, room);
		if (!grown)
			return -ENOMEM;
		to->data = grown;
		to->room = room;
	}
	return 0;
}

static void append(struct sw_bytes *to, const void *data, size_t bytes)
{
	memcpy(to->data + to->used, data, bytes);
	to->used += bytes;
}

static int is_run(uint32_t kind)
{
	return kind == SW_RUN || kind == SW_RUN_SHORT;
}

/* Forget what is in the batch. */
static void empty(struct sw_batch *batch)
{
	batch->count = 0;
	batch->accesses = 0;
	batch->records.used = 0;
	batch->lengths.used = 0;
	batch->text.used = 0;
}

static void lose(struct sw_spool *spool, uint32_t kind)
{
	struct sw_batch *batch = &spool->batches[kind];

	spool->done.lost_accesses += batch->accesses;
	if (!is_run(kind))
		spool->done.lost_records += batch->count;
	empty(batch);
}

/* Cut off what is behind the known end; where that fails it will be written over. */
static void cut(struct sw_spool *spool)
{
	if (ftruncate(spool->file, spool->done.end))
		return;
}

/* All or nothing: the known end moves only by a whole block. */
static int write_block(struct sw_spool *spool, struct block *header, struct sw_bytes *parts, int count)
{
	struct iovec vectors[4] = {{header, sizeof(*header)}};
	size_t total = sizeof(*header);
	uLong crc = crc32(0, NULL, 0);
	ssize_t done;

	for (int i = 0; i < count; i++) {
		if (parts[i].used) /* without data zlib would begin anew */
			crc = crc32_z(crc, (const Bytef *)parts[i].data, parts[i].used);
		vectors[i + 1].iov_base = parts[i].data;
		vectors[i + 1].iov_len = parts[i].used;
		total += parts[i].used;
	}
	header->magic = BLOCK_MAGIC;
	header->crc32 = crc;
	do {
		done = pwritev(spool->file, vectors, count + 1, spool->done.end);
	} while (done < 0 && errno == EINTR);
	if (done != (ssize_t)total) {
		int code = done < 0 ? -errno : -ENOSPC;

		cut(spool);
		return code;
	}
	spool->done.end += total;
	return 0;
}

static int flush_batch(struct sw_spool *spool, uint32_t kind)
{
	struct sw_batch *batch = &spool->batches[kind];
	struct sw_bytes parts[3] = {batch->records, batch->lengths, batch->text};
	struct block header = {
		.kind = kind,
		.record_size = kinds[kind].bytes,
		.count = batch->count,
		.text_bytes = batch->text.used,
	};
	int code = batch->count ? write_block(spool, &header, parts, 3) : 0;

	if (!code)
		empty(batch);
	return code;
}

void sw_spool_add(struct sw_spool *spool, const void *record, size_t bytes)
{
	uint32_t kind = *(const uint32_t *)record;
	size_t size = sw_record_bytes(kind);
	struct sw_batch *batch;
	uint32_t text;

	if (!size || bytes < size) {
		spool->done.lost_records += 1;
		return;
	}
	batch = &spool->batches[kind];
	text = bytes - size;
	batch->count += 1;
	if (is_run(kind))
		batch->accesses += ((const struct sw_run_short *)record)->count;
	if (make_room(&batch->records, size) || make_room(&batch->lengths, sizeof(text)) ||
	    make_room(&batch->text, text)) {
		lose(spool, kind);
		return;
	}
	append(&batch->records, record, size);
	if (kinds[kind].has_text) {
		append(&batch->lengths, &text, sizeof(text));
		append(&batch->text, (const char *)record + size, text);
	}
	spool->waiting += bytes;
}

int sw_spool_flush(struct sw_spool *spool)
{
	int first = 0;

	for (uint32_t kind = 0; kind < SW_KINDS; kind++) {
		int code = flush_batch(spool, kind);

		if (!first)
			first = code;
	}
	spool->waiting = 0;
	return first;
}

void sw_spool_lose(struct sw_spool *spool)
{
	for (uint32_t kind = 0; kind < SW_KINDS; kind++)
		lose(spool, kind);
}

void sw_spool_return(struct sw_spool *spool, const struct sw_spooled *to)
{
	for (uint32_t kind = 0; kind < SW_KINDS; kind++)
		empty(&spool->batches[kind]);
	spool->waiting = 0;
	spool->done = *to;
	cut(spool);
}

int sw_spool_meta(struct sw_spool *spool, const char *json, size_t bytes)
{
	struct block header = {.kind = SW_META, .text_bytes = bytes};
	struct sw_bytes text = {.data = (char *)json, .used = bytes};

	return write_block(spool, &header, &text, 1);
}

void sw_spool_free(struct sw_spool *spool)
{
	for (uint32_t kind = 0; kind < SW_KINDS; kind++) {
		free(spool->batches[kind].records.data);
		free(spool->batches[kind].lengths.data);
		free(spool->batches[kind].text.data);
	}
}
