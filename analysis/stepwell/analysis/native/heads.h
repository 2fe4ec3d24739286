/*
 * The heads of one stream: a stream is one series of accesses, and each head a place in the file from which it reads
 * on. Many programs read at several places by turns; taken apart, each head is regular where the whole looks random.
 *
 * Accesses that a head foretells make a chain. What none foretells is a jump, and begins one.
 */
#ifndef STEPWELL_ANALYSIS_HEADS_H
#define STEPWELL_ANALYSIS_HEADS_H

#include <stddef.h>
#include <stdint.h>

/* How an access follows from the one before it on its head. */
enum sw_step {
	SW_CONSECUTIVE, /* begins where that one ended */
	SW_GAP, /* a little further on, or a little late: what readers with holes or several threads do */
	SW_STRIDED, /* at the distance of the last two, upwards */
	SW_BACKWARD, /* at the distance of the last two, downwards, or ends where that one began */
	SW_REPEAT, /* at the same place */
	SW_JUMP, /* none of these, on any head */
	SW_STEPS
};

#define SW_CHAINS 8 /* chains by length: bucket k has [2^k, 2^(k+1)) accesses, the last one all above */
#define SW_TOP 4
#define SW_MOST_HEADS 256
#define SW_EARLY 8
#define SW_WINDOWS 8
#define SW_SAMPLES 128 /* offsets kept of the whole stream, evenly over it; a power of two */
/* Most streams are short where there are very many: at first, there is room for so many heads, and samples. */
#define SW_FEW_HEADS 4
#define SW_FEW_SAMPLES 16
#define SW_SCALES 4
#define SW_LINES 3

/*
 * Values that occur most, and at least how often: one that makes more than a fifth of all is among them (Misra and
 * Gries, "Finding Repeated Elements", 1982).
 */
struct sw_top {
	int64_t value[SW_TOP];
	uint64_t count[SW_TOP];
};

/* What one stream's accesses were like. All offsets and sizes are bytes. */
struct sw_evidence {
	int64_t reader;
	int64_t thread; /* of a lane: -1 */
	int64_t open; /* of a lane: -1 */
	int64_t file;
	int64_t lane; /* number of the lane it belongs to, or is */
	uint64_t op;
	uint64_t is_lane;
	uint64_t accesses; /* that transferred something */
	uint64_t bytes;
	uint64_t empty; /* accesses that transferred nothing */
	uint64_t around; /* accesses that are ranges of pages mapped around a fault */
	uint64_t low; /* lowest offset */
	uint64_t high; /* highest end */
	uint64_t end_of_file; /* highest end of an access that got less than it asked for */
	int64_t first_ns;
	int64_t last_ns;
	uint64_t steps[SW_STEPS];
	uint64_t step_bytes[SW_STEPS];
	/* The same steps mirrored, as a control: equally many where the order is random. */
	uint64_t mirrored; /* accesses that end where the last one of some head began */
	uint64_t mirrored_gaps;
	/* Jumps, compared with the jump before. */
	uint64_t upwards;
	uint64_t downwards;
	uint64_t turns; /* that go the other way than the one before */
	uint64_t long_chains; /* of at least `proven` accesses */
	uint64_t rows; /* strided steps of a head that had read on without a hole before */
	uint64_t hopped; /* accesses that a head foretold and that do not begin where the last one in time ended */
	uint64_t chains[SW_CHAINS];
	uint64_t chain_accesses[SW_CHAINS];
	uint64_t chain_bytes[SW_CHAINS];
	struct sw_top strides;
	struct sw_top holes; /* distances over holes, from start to start */
	struct sw_top jumps; /* distances from one jump to the next */
	struct sw_top hops; /* of these, how far from there */
	struct sw_top requests;
	/* The first accesses. */
	uint64_t early;
	uint64_t early_offset[SW_EARLY];
	uint64_t early_size[SW_EARLY];
	/* The chain with most bytes: where it began, and what had come before. */
	uint64_t best_bytes;
	uint64_t best_accesses;
	uint64_t best_offset;
	uint64_t best_end;
	uint64_t best_before;
	uint64_t best_before_bytes;
	/* Steps in parts of `window` accesses each, in order; when all are full, two become one. */
	uint64_t window;
	uint64_t windows;
	uint64_t window_steps[SW_WINDOWS][SW_STEPS];
	int64_t window_ns[SW_WINDOWS];
	/*
	 * Of offsets sampled over the whole stream, and of each second, fourth and eighth of them: how many one, two,
	 * three lines explain that only rise, or only fall.
	 */
	uint64_t sampled;
	uint64_t rising[SW_SCALES][SW_LINES];
	uint64_t falling[SW_SCALES][SW_LINES];
	/* Of a stream that rises: the distance at which almost all of its samples lie, whatever is left out; or 0. */
	uint64_t lattice;
	uint64_t places; /* different offsets among the samples */
	uint64_t on_lattice; /* of these, how many lie on it */
};

struct sw_heads_limits {
	uint32_t heads; /* most heads of a stream, a multiple of 4, at most SW_MOST_HEADS */
	uint32_t proven; /* accesses in a chain from which on it is none by chance */
	uint32_t settled; /* accesses in a chain from which on it may have holes while others move */
	uint32_t expanded; /* runs with a stride of at most so many accesses are looked at access by access */
	uint32_t skips; /* most steps of a stride left out at once, and holes in requests */
	uint64_t page; /* a request counts as at least so large when its holes are measured */
	uint64_t around; /* how far page faults that belong together may be apart */
	uint64_t lattice; /* percent of samples on a lattice, for it to be one */
};

struct sw_chain {
	int64_t outer; /* distance between the last two stretches */
	uint64_t start; /* of the last stretch: what was read without a hole */
	int64_t pitch; /* distance between the last two rows; a row is stretches at one distance */
	uint64_t row; /* where the last row began */
	uint64_t parent_row; /* the same of the head from which it jumped: if the jump was a step, it is its row, too */
	int64_t parent_pitch;
	uint64_t skipped; /* where the first of the holes began in which a late access may come */
	uint64_t accesses;
	uint64_t bytes;
	uint64_t offset; /* of the first access */
	uint64_t before; /* accesses and bytes of the stream before it */
	uint64_t before_bytes;
	uint64_t hole; /* where it went on after the last hole, and how far that was from the one before */
	int64_t hop;
	uint8_t forward;
	uint8_t recent;
	uint8_t regular; /* the distance has come up again */
};

struct sw_heads {
	struct sw_evidence evidence;
	uint32_t live; /* heads there are */
	uint32_t hand; /* the next to be replaced */
	uint32_t latest; /* the one that moved last */
	int32_t direction; /* of the last jump */
	uint64_t last_jump;
	uint64_t last_end; /* of the last access in time, on whatever head */
	uint64_t filled; /* accesses in the last window */
	uint64_t every; /* accesses of which one is sampled */
	uint64_t due; /* the number of the access that is sampled next */
	uint64_t large; /* there is room for all heads and samples that there may be, not just for a few */
	/* The heads' parts that are searched have an array each. */
	uint64_t *samples;
	uint64_t *end; /* offset after the last access */
	uint32_t *last; /* mark of the offset of the last access */
	uint32_t *next; /* mark of the offset that the distance foretells */
	struct sw_chain *chain;
};

struct sw_series {
	uint64_t offset;
	int64_t stride;
	uint64_t requested;
	uint64_t size;
	uint64_t tail;
	int64_t start_ns;
	int64_t span_ns;
	uint32_t count;
	uint8_t op;
	uint8_t around; /* a range of pages that was mapped around a fault */
};

/* Whether a stream has room for what a run may add. */
static inline int sw_heads_fit(const struct sw_heads *stream, const struct sw_series *run)
{
	uint64_t heads = (uint64_t)run->stride == run->size ? 1 : run->count;

	return stream->large ||
	       (stream->live + heads <= SW_FEW_HEADS && stream->evidence.accesses + run->count <= SW_FEW_SAMPLES);
}

/* Bytes of the arrays of one stream, small or large. */
size_t sw_heads_bytes(uint32_t heads, int large);
/* Make a stream empty and small; `arrays` has room for that. */
void sw_heads_clear(struct sw_heads *stream, void *arrays);
/* Make a stream large; its arrays move to `arrays`, which has room for `heads`. */
void sw_heads_enlarge(struct sw_heads *stream, void *arrays, uint32_t heads);
/* Make a stream a copy of another one that is as large. */
void sw_heads_copy(struct sw_heads *to, const struct sw_heads *from);
/* Add a run for which there is room. */
void sw_heads_add(struct sw_heads *stream, const struct sw_series *series, const struct sw_heads_limits *limits);
/* All chains end; the evidence is complete. */
void sw_heads_end(struct sw_heads *stream, const struct sw_heads_limits *limits);

#endif
