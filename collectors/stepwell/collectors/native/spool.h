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
	size_t enough; /* bytes that are worth writing, if not 0 */
	struct sw_bytes records;
	struct sw_bytes lengths;
	struct sw_bytes text;
};

struct sw_spool {
	int file;
	int error; /* errno of the last failed write, 0 if the last one worked */
	uint64_t written;
	uint64_t lost_accesses;
	uint64_t lost_records;
	struct sw_batch batches[SW_KINDS];
};

/* Size of a record of this kind without its text; 0 for an unknown kind. */
size_t sw_record_bytes(uint32_t kind);
/* Adds a record, text included, to its batch; writes when batches have grown. */
void sw_spool_add(struct sw_spool *spool, const void *record, size_t bytes);
/* Writes all batches; what cannot be written is kept for the next time, up to a limit. */
void sw_spool_flush(struct sw_spool *spool);
/* Writes all batches for the last time. */
void sw_spool_end(struct sw_spool *spool);
int sw_spool_meta(struct sw_spool *spool, const char *json, size_t bytes);
void sw_spool_free(struct sw_spool *spool);

#endif
