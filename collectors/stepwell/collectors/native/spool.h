/* The spool file's writer: records gathered by kind, appended as blocks. */
#ifndef STEPWELL_SPOOL_H
#define STEPWELL_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#define SW_KINDS 16
#define SW_META 100

struct sw_bytes {
	char *data;
	size_t used;
	size_t room;
};

struct sw_batch {
	uint32_t count;
	uint64_t accesses; /* that the records stand for */
	struct sw_bytes records;
	struct sw_bytes lengths;
	struct sw_bytes text;
};

/* How far the file has come. */
struct sw_spooled {
	uint64_t end; /* of the file, in bytes */
	uint64_t lost_accesses;
	uint64_t lost_records;
};

struct sw_spool {
	int file;
	struct sw_spooled done;
	size_t waiting; /* bytes in the batches */
	struct sw_batch batches[SW_KINDS];
};

/* Size of a record of this kind without its text; 0 for an unknown kind. */
size_t sw_record_bytes(uint32_t kind);
/* Adds a record, text included, to its batch. */
void sw_spool_add(struct sw_spool *spool, const void *record, size_t bytes);
/* Writes all batches and empties those that could be written. Returns 0 or the first -errno. */
int sw_spool_flush(struct sw_spool *spool);
/* Empties all batches, and counts what was in them as lost. */
void sw_spool_lose(struct sw_spool *spool);
/* Goes back to an earlier state: what came since then has never been added. */
void sw_spool_return(struct sw_spool *spool, const struct sw_spooled *to);
/* Writes facts, a JSON object. Returns 0 or -errno. */
int sw_spool_meta(struct sw_spool *spool, const char *json, size_t bytes);
void sw_spool_free(struct sw_spool *spool);

#endif
