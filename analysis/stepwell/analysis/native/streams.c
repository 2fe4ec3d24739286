/*
 * From the runs of a trace to the evidence of its streams, in one pass: a table of those that are under way.
 *
 * A stream is what one thread did to one open file in one way. All streams of a process on one file, in the same way,
 * make a lane, which sees what no stream does when a program opens a file anew for each access or has a thread for
 * each. A lane follows its streams only as long as they are short; as long as there is but one, that one is the lane.
 *
 * When the table is full, the stream that was left alone longest, about, is given out and forgotten.
 */
#include <stdlib.h>
#include <string.h>

#include "heads.h"
#include "map.h"
#include "pool.h"
#include "trace/record.h"

#define NONE UINT32_MAX
/*
 * Runs wait in parts, by their lane, and a part is taken group by group: then the streams of one lane are in the cache,
 * while all of them would not fit. What waits goes through memory twice, so it is small; one part fits the cache, too.
 */
#define PARTS 64
#define PART_UNITS 16384
#define GROUPS 256

struct key {
	int64_t who; /* thread; of a lane: reader */
	int64_t what; /* open file; of a lane: file */
	uint32_t kind; /* operation; 256 more for a lane */
};

struct stream {
	struct key key;
	uint32_t chained; /* the next with the same hash */
	uint32_t lane;
	uint32_t room; /* number of its large arrays; NONE while the small ones do, which follow the stream */
	uint8_t used;
	uint8_t recent;
	struct sw_heads heads;
};

struct lane {
	struct key key;
	uint32_t chained;
	uint32_t slot; /* of the lane's own stream; NONE while there is one stream only */
	uint32_t first; /* slot of the first stream */
	uint32_t streams;
	struct key first_key;
};

struct table {
	uint32_t *heads;
	uint64_t mask;
};

/* A run that waits; of a single access it is all there is to know. */
struct row {
	int64_t thread, open, reader, file;
	uint64_t offset;
	int64_t start_ns;
	uint32_t requested, size;
	uint8_t op, around, group;
	uint8_t longer; /* the unit that follows tells more */
};

/* What else there is to know of other runs; `requested` and `size` of the row say nothing then. */
struct rest {
	int64_t stride, span_ns;
	uint64_t requested, size, tail;
	uint32_t count;
};

union unit {
	struct row row;
	struct rest rest;
	char line[64]; /* of the processor's cache */
};

struct part {
	_Alignas(sizeof(union unit)) union unit units[PART_UNITS];
	uint32_t used;
};

struct sw_streams {
	struct sw_heads_limits limits;
	struct part *parts[PARTS]; /* NULL as long as there were no runs */
	uint32_t shard, shards; /* lanes are dealt out among as many tables */
	uint32_t most; /* streams under way */
	uint32_t short_accesses; /* a lane follows a stream until it has so many */
	uint32_t hand;
	uint32_t finished; /* slots given out because nothing more comes */
	struct sw_pool slots;
	struct sw_pool rooms;
	uint32_t idle; /* the first of the rooms that nobody has; each begins with the number of the next */
	struct table streams;
	struct lane *lanes;
	uint32_t lane_count, lane_room;
	struct table by_lane;
	struct sw_evidence *done;
	size_t done_count, done_room;
};

struct sw_columns {
	const int64_t *thread, *reader, *open, *file;
	const uint8_t *op, *flags;
	const uint32_t *count;
	const int64_t *offset, *stride;
	const uint64_t *requested;
	const int64_t *size, *tail, *start_ns, *span_ns;
};

static uint64_t hash(const struct key *key)
{
	return sw_mix((uint64_t)key->who * 0x9e3779b97f4a7c15ULL ^ sw_mix((uint64_t)key->what + key->kind));
}

static int same(const struct key *a, const struct key *b)
{
	return a->who == b->who && a->what == b->what && a->kind == b->kind;
}

static int make_table(struct table *table, uint64_t room)
{
	table->heads = malloc(room * sizeof(*table->heads));
	table->mask = room - 1;
	if (table->heads)
		memset(table->heads, 0xff, room * sizeof(*table->heads));
	return table->heads != NULL;
}

static struct stream *at(const struct sw_streams *t, uint32_t slot)
{
	return sw_pool_at(&t->slots, slot);
}

SW_API void sw_streams_free(struct sw_streams *t)
{
	for (int i = 0; i < PARTS; i++)
		free(t->parts[i]);
	sw_pool_end(&t->slots);
	sw_pool_end(&t->rooms);
	free(t->streams.heads);
	free(t->by_lane.heads);
	free(t->lanes);
	free(t->done);
	free(t);
}

SW_API struct sw_streams *sw_streams_new(const struct sw_heads_limits *limits, uint32_t most, uint32_t short_accesses,
					 uint32_t shard, uint32_t shards)
{
	struct sw_streams *t = calloc(1, sizeof(*t));
	uint64_t room = 1024;

	if (!t)
		return NULL;
	while (room < (uint64_t)most * 2)
		room *= 2;
	t->limits = *limits;
	t->shard = shard;
	t->shards = shards;
	t->most = most;
	t->short_accesses = short_accesses;
	t->idle = NONE;
	if (sw_pool_init(&t->slots, sizeof(struct stream) + sw_heads_bytes(limits->heads, 0), most) &&
	    sw_pool_init(&t->rooms, sw_heads_bytes(limits->heads, 1), most) && make_table(&t->streams, room) &&
	    make_table(&t->by_lane, 1024))
		return t;
	sw_streams_free(t);
	return NULL;
}

static uint32_t find(const struct sw_streams *t, const struct key *key)
{
	uint32_t slot = t->streams.heads[hash(key) & t->streams.mask];

	while (slot != NONE && !same(&at(t, slot)->key, key))
		slot = at(t, slot)->chained;
	return slot;
}

/* Give out what is known of a stream, and empty its slot. */
static int give_out(struct sw_streams *t, uint32_t slot)
{
	struct stream *stream = at(t, slot);
	uint32_t *link = &t->streams.heads[hash(&stream->key) & t->streams.mask];

	if (t->done_count == t->done_room) {
		size_t room = t->done_room ? t->done_room * 2 : 256;
		struct sw_evidence *grown = realloc(t->done, room * sizeof(*grown));

		if (!grown)
			return 0;
		t->done = grown;
		t->done_room = room;
	}
	sw_heads_end(&stream->heads, &t->limits);
	t->done[t->done_count++] = stream->heads.evidence;
	while (*link != slot)
		link = &at(t, *link)->chained;
	*link = stream->chained;
	if (t->lanes[stream->lane].slot == slot)
		t->lanes[stream->lane].slot = NONE;
	stream->used = 0;
	if (stream->room != NONE) {
		*(uint32_t *)sw_pool_at(&t->rooms, stream->room) = t->idle;
		t->idle = stream->room;
	}
	return 1;
}

static int enlarge(struct sw_streams *t, struct stream *stream)
{
	uint32_t room = t->idle;

	if (room != NONE)
		t->idle = *(uint32_t *)sw_pool_at(&t->rooms, room);
	else if (sw_pool_grow(&t->rooms))
		room = t->rooms.count - 1;
	else
		return 0;
	stream->room = room;
	sw_heads_enlarge(&stream->heads, sw_pool_at(&t->rooms, room), t->limits.heads);
	return 1;
}

/* An empty slot, or NONE without memory. */
static uint32_t take_slot(struct sw_streams *t)
{
	uint32_t slot = t->slots.count;

	if (slot < t->most)
		return sw_pool_grow(&t->slots) ? slot : NONE;
	for (;;) {
		struct stream *stream = at(t, t->hand);

		slot = t->hand;
		t->hand = slot + 1 == t->most ? 0 : slot + 1;
		if (!stream->recent)
			return give_out(t, slot) ? slot : NONE;
		stream->recent = 0;
	}
}

static uint32_t make_stream(struct sw_streams *t, const struct key *key, uint32_t lane)
{
	uint32_t slot = take_slot(t), *head = &t->streams.heads[hash(key) & t->streams.mask];
	struct sw_evidence *e;
	struct stream *stream;

	if (slot == NONE)
		return NONE;
	stream = at(t, slot);
	stream->key = *key;
	stream->chained = *head;
	stream->lane = lane;
	stream->room = NONE;
	stream->used = 1;
	stream->recent = 1;
	*head = slot;
	sw_heads_clear(&stream->heads, stream + 1);
	e = &stream->heads.evidence;
	e->reader = t->lanes[lane].key.who;
	e->is_lane = key->kind >> 8;
	e->thread = e->is_lane ? -1 : key->who;
	e->open = e->is_lane ? -1 : key->what;
	e->file = t->lanes[lane].key.what;
	e->op = key->kind & 0xff;
	e->lane = (int64_t)lane * t->shards + t->shard;
	return slot;
}

static int grow_lanes(struct sw_streams *t)
{
	uint32_t room = t->lane_room ? t->lane_room * 2 : 256;
	struct lane *grown = realloc(t->lanes, room * sizeof(*grown));
	struct table table;

	if (!grown)
		return 0;
	t->lanes = grown;
	t->lane_room = room;
	if (room < t->by_lane.mask)
		return 1;
	if (!make_table(&table, 4 * (uint64_t)room))
		return 0;
	free(t->by_lane.heads);
	t->by_lane = table;
	for (uint32_t i = 0; i < t->lane_count; i++) {
		uint32_t *head = &table.heads[hash(&t->lanes[i].key) & table.mask];

		t->lanes[i].chained = *head;
		*head = i;
	}
	return 1;
}

static uint32_t find_lane(struct sw_streams *t, const struct key *key)
{
	uint64_t hashed = hash(key);
	uint32_t i = t->by_lane.heads[hashed & t->by_lane.mask];

	while (i != NONE && !same(&t->lanes[i].key, key))
		i = t->lanes[i].chained;
	if (i != NONE)
		return i;
	if (t->lane_count == t->lane_room && !grow_lanes(t))
		return NONE;
	i = t->lane_count++;
	t->lanes[i] = (struct lane){
		.key = *key,
		.slot = NONE,
		.first = NONE,
		.chained = t->by_lane.heads[hashed & t->by_lane.mask],
	};
	t->by_lane.heads[hashed & t->by_lane.mask] = i;
	return i;
}

/* The lane has more than one stream, so that it needs one of its own: it begins as its first one so far. */
static int begin_lane(struct sw_streams *t, uint32_t lane)
{
	struct lane *l = &t->lanes[lane];
	uint32_t slot = make_stream(t, &l->key, lane);
	struct sw_evidence own;
	struct stream *stream, *first;

	if (slot == NONE)
		return 0;
	l->slot = slot;
	stream = at(t, slot);
	first = at(t, l->first);
	if (l->first != slot && first->used && same(&first->key, &l->first_key)) {
		if (first->heads.large && !enlarge(t, stream))
			return 0;
		own = stream->heads.evidence;
		sw_heads_copy(&stream->heads, &first->heads);
		stream->heads.evidence.thread = own.thread;
		stream->heads.evidence.open = own.open;
		stream->heads.evidence.is_lane = own.is_lane;
	}
	return 1;
}

static uint32_t begin_stream(struct sw_streams *t, const struct key *key, int64_t reader, int64_t file)
{
	struct key lane_key = {.who = reader, .what = file, .kind = key->kind | 256};
	uint32_t lane = find_lane(t, &lane_key), slot;

	if (lane == NONE)
		return NONE;
	if (t->lanes[lane].streams++ && t->lanes[lane].slot == NONE && !begin_lane(t, lane))
		return NONE;
	slot = make_stream(t, key, lane);
	if (t->lanes[lane].streams == 1) {
		t->lanes[lane].first = slot;
		t->lanes[lane].first_key = *key;
	}
	return slot;
}

static struct sw_series series_of(const union unit *unit)
{
	const struct row *row = &unit->row;
	struct sw_series run = {
		.offset = row->offset,
		.requested = row->requested,
		.size = row->size,
		.tail = row->size,
		.start_ns = row->start_ns,
		.count = 1,
		.op = row->op,
		.around = row->around,
	};

	if (row->longer) {
		const struct rest *rest = &unit[1].rest;

		run.stride = rest->stride;
		run.requested = rest->requested;
		run.size = rest->size;
		run.tail = rest->tail;
		run.span_ns = rest->span_ns;
		run.count = rest->count;
	}
	return run;
}

static int add_to(struct sw_streams *t, struct stream *stream, const struct sw_series *run)
{
	stream->recent = 1;
	if (!sw_heads_fit(&stream->heads, run) && !enlarge(t, stream))
		return 0;
	sw_heads_add(&stream->heads, run, &t->limits);
	return 1;
}

static int add(struct sw_streams *t, const union unit *unit)
{
	const struct row *row = &unit->row;
	struct key key = {.who = row->thread, .what = row->open, .kind = row->op};
	struct sw_series run = series_of(unit);
	uint32_t slot = find(t, &key), lane;
	struct stream *stream;

	if (slot == NONE)
		slot = begin_stream(t, &key, row->reader, row->file);
	if (slot == NONE)
		return 0;
	stream = at(t, slot);
	lane = t->lanes[stream->lane].slot;
	if (lane != NONE && stream->heads.evidence.accesses < t->short_accesses && !add_to(t, at(t, lane), &run))
		return 0;
	return add_to(t, stream, &run);
}

/* The order in which a part's runs are taken: group by group, and in a group as they came. Returns how many. */
static uint32_t arrange(const struct part *part, uint16_t *order)
{
	uint16_t place[GROUPS] = {0}, first = 0;

	for (uint32_t i = 0; i < part->used; i += 1 + part->units[i].row.longer)
		place[part->units[i].row.group]++;
	for (int group = 0; group < GROUPS; group++) {
		first += place[group];
		place[group] = first - place[group];
	}
	for (uint32_t i = 0; i < part->used; i += 1 + part->units[i].row.longer)
		order[place[part->units[i].row.group]++] = i;
	return first;
}

static int drain(struct sw_streams *t, struct part *part)
{
	uint16_t order[PART_UNITS];
	uint32_t rows = arrange(part, order);

	for (uint32_t i = 0; i < rows; i++)
		if (!add(t, &part->units[order[i]]))
			return 0;
	part->used = 0;
	return 1;
}

static struct part *part_of(struct sw_streams *t, uint32_t number)
{
	if (!t->parts[number] && (t->parts[number] = aligned_alloc(sizeof(union unit), sizeof(struct part))))
		t->parts[number]->used = 0;
	return t->parts[number];
}

static void put(struct part *part, const struct sw_columns *c, size_t i, uint8_t group)
{
	int longer = c->count[i] > 1 || c->size[i] != c->tail[i] || c->span_ns[i] || c->requested[i] > UINT32_MAX ||
		     (uint64_t)c->size[i] > UINT32_MAX;

	part->units[part->used++].row = (struct row){
		.thread = c->thread[i],
		.open = c->open[i],
		.reader = c->reader[i],
		.file = c->file[i],
		.offset = c->offset[i],
		.start_ns = c->start_ns[i],
		.requested = c->requested[i],
		.size = c->size[i],
		.op = c->op[i],
		.around = (c->flags[i] & SW_FAULT_AROUND) != 0,
		.group = group,
		.longer = longer,
	};
	if (longer)
		part->units[part->used++].rest = (struct rest){
			.stride = c->stride[i],
			.span_ns = c->span_ns[i],
			.requested = c->requested[i],
			.size = c->size[i],
			.tail = c->tail[i],
			.count = c->count[i],
		};
}

/* Take those of `rows` runs that are this table's; of one stream they are in order. Returns how many streams can be
 * taken, or -1 without memory. */
SW_API int64_t sw_streams_feed(struct sw_streams *t, const struct sw_columns *c, size_t rows)
{
	for (size_t i = 0; i < rows; i++) {
		struct key lane = {.who = c->reader[i], .what = c->file[i], .kind = c->op[i]};
		uint32_t hashed = hash(&lane) >> 32;
		struct part *part;

		if (hashed % t->shards != t->shard || !c->count[i])
			continue;
		hashed /= t->shards;
		part = part_of(t, hashed % PARTS);
		if (!part)
			return -1;
		put(part, c, i, hashed / PARTS % GROUPS);
		if (part->used + 2 > PART_UNITS && !drain(t, part))
			return -1;
	}
	return (int64_t)t->done_count;
}

/* Give out streams that are under way, until `most` can be taken. Returns how many can be, or -1 without memory. */
SW_API int64_t sw_streams_finish(struct sw_streams *t, size_t most)
{
	for (int i = 0; i < PARTS && t->done_count < most; i++) {
		if (t->parts[i] && !drain(t, t->parts[i]))
			return -1;
		free(t->parts[i]);
		t->parts[i] = NULL;
	}
	for (; t->finished < t->slots.count && t->done_count < most; t->finished++)
		if (at(t, t->finished)->used && !give_out(t, t->finished))
			return -1;
	return (int64_t)t->done_count;
}

/* Move all streams given out so far to `evidence`, which has room for them. */
SW_API void sw_streams_take(struct sw_streams *t, struct sw_evidence *evidence)
{
	memcpy(evidence, t->done, t->done_count * sizeof(*evidence));
	t->done_count = 0;
}
