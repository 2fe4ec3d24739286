#include "heads.h"

#include <string.h>

#include "lattice.h"
#include "lines.h"
#include "map.h"
#include "trace/record.h"

#define NONE UINT32_MAX
#define FARTHEST (INT64_MAX / SW_MOST_HEADS - 1) /* bytes: further heads are all as far */

/* Once more for processors with wider vectors, chosen when the library is loaded; all that is called is in it. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define FOR_PROCESSORS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
#else
#define FOR_PROCESSORS
#endif

typedef uint32_t marks __attribute__((vector_size(16)));

static uint32_t mark(uint64_t offset)
{
	return (offset * 0x9e3779b97f4a7c15ULL) >> 32;
}

size_t sw_heads_bytes(uint32_t heads, int large)
{
	uint32_t number = large ? heads : SW_FEW_HEADS;

	return number * (sizeof(uint64_t) + 2 * sizeof(uint32_t) + sizeof(struct sw_chain)) +
	       (large ? SW_SAMPLES : SW_FEW_SAMPLES) * sizeof(uint64_t);
}

static void lay_out(struct sw_heads *s, void *arrays, uint32_t heads, uint32_t samples)
{
	memset(arrays, 0, 2 * heads * sizeof(uint32_t)); /* marks are looked at four by four, live or not */
	s->last = arrays;
	s->next = s->last + heads;
	s->end = (uint64_t *)(s->next + heads);
	s->samples = s->end + heads;
	s->chain = (struct sw_chain *)(s->samples + samples);
}

void sw_heads_clear(struct sw_heads *s, void *arrays)
{
	memset(s, 0, sizeof(*s));
	lay_out(s, arrays, SW_FEW_HEADS, SW_FEW_SAMPLES);
	s->evidence.low = UINT64_MAX;
	s->evidence.first_ns = INT64_MAX;
	s->evidence.last_ns = INT64_MIN;
	s->evidence.window = 1;
	s->every = 1;
}

static void copy_arrays(const struct sw_heads *to, const struct sw_heads *from)
{
	memcpy(to->last, from->last, from->live * sizeof(*to->last));
	memcpy(to->next, from->next, from->live * sizeof(*to->next));
	memcpy(to->end, from->end, from->live * sizeof(*to->end));
	memcpy(to->chain, from->chain, from->live * sizeof(*to->chain));
	memcpy(to->samples, from->samples, from->evidence.sampled * sizeof(*to->samples));
}

void sw_heads_enlarge(struct sw_heads *s, void *arrays, uint32_t heads)
{
	struct sw_heads small = *s;

	lay_out(s, arrays, heads, SW_SAMPLES);
	copy_arrays(s, &small);
	s->large = 1;
}

void sw_heads_copy(struct sw_heads *to, const struct sw_heads *from)
{
	struct sw_heads made = *from;

	made.last = to->last;
	made.next = to->next;
	made.end = to->end;
	made.samples = to->samples;
	made.chain = to->chain;
	copy_arrays(&made, from);
	*to = made;
}

static void tally(struct sw_top *top, int64_t value, uint64_t count)
{
	uint64_t least = count;

	for (int i = 0; i < SW_TOP; i++) {
		if (top->count[i] && top->value[i] == value) {
			top->count[i] += count;
			return;
		}
	}
	for (int i = 0; i < SW_TOP; i++)
		least = top->count[i] < least ? top->count[i] : least;
	for (int i = 0; i < SW_TOP; i++) {
		if (!top->count[i] && count) {
			top->value[i] = value;
			top->count[i] = count;
			return;
		}
		top->count[i] -= least;
	}
	/* What is left of the count when another value has given way to it. */
	for (int i = 0; i < SW_TOP && count > least; i++) {
		if (!top->count[i]) {
			top->value[i] = value;
			top->count[i] = count - least;
			return;
		}
	}
}

/* A place that changes from part to part, so that a sample does not always meet the same one of series in turns. */
static uint64_t within(uint64_t part, uint64_t size)
{
	return sw_mix(part) & (size - 1);
}

/* Sample the offsets of `count` accesses that come after the others. */
static void sample(struct sw_heads *s, uint64_t offset, uint64_t stride, uint64_t count)
{
	struct sw_evidence *e = &s->evidence;

	while (s->due < e->accesses + count) {
		if (e->sampled == SW_SAMPLES) {
			for (uint64_t i = 0; i < SW_SAMPLES / 2; i++)
				s->samples[i] = s->samples[2 * i + within(i, 2)];
			e->sampled /= 2;
			s->every *= 2;
		} else {
			s->samples[e->sampled++] = offset + (s->due - e->accesses) * stride;
		}
		s->due = e->sampled * s->every + within(e->sampled, s->every);
		if (s->due < e->accesses)
			s->due = e->accesses;
	}
}

static void halve_windows(struct sw_evidence *e)
{
	for (int i = 0; i < SW_WINDOWS / 2; i++) {
		for (int k = 0; k < SW_STEPS; k++)
			e->window_steps[i][k] = e->window_steps[2 * i][k] + e->window_steps[2 * i + 1][k];
		e->window_ns[i] = e->window_ns[2 * i];
	}
	memset(e->window_steps[SW_WINDOWS / 2], 0, sizeof(e->window_steps) / 2);
	e->windows = SW_WINDOWS / 2;
	e->window *= 2;
}

/* Count `count` accesses that follow in this way, the first at `ns` and then one every `every_ns`. */
static void credit(struct sw_heads *s, enum sw_step step, uint64_t count, uint64_t bytes, int64_t ns, double every_ns)
{
	struct sw_evidence *e = &s->evidence;
	uint64_t done = 0;

	e->steps[step] += count;
	e->step_bytes[step] += bytes;
	while (done < count) {
		uint64_t room, part;

		if (!e->windows || s->filled == e->window) {
			if (e->windows == SW_WINDOWS)
				halve_windows(e);
			e->window_ns[e->windows++] = ns + (int64_t)(every_ns * (double)done);
			s->filled = 0;
		}
		room = e->window - s->filled;
		part = count - done < room ? count - done : room;
		e->window_steps[e->windows - 1][step] += part;
		s->filled += part;
		done += part;
	}
}

/* A chain ends here. */
static void retire(struct sw_heads *s, uint32_t i)
{
	struct sw_evidence *e = &s->evidence;
	const struct sw_chain *c = &s->chain[i];
	int bucket = 63 - __builtin_clzll(c->accesses);

	if (bucket >= SW_CHAINS)
		bucket = SW_CHAINS - 1;
	e->chains[bucket] += 1;
	e->chain_accesses[bucket] += c->accesses;
	e->chain_bytes[bucket] += c->bytes;
	if (c->bytes > e->best_bytes) {
		e->best_bytes = c->bytes;
		e->best_accesses = c->accesses;
		e->best_offset = c->offset;
		e->best_end = s->end[i];
		e->best_before = c->before;
		e->best_before_bytes = c->before_bytes;
	}
}

/* `count` more accesses in the chain of a head; it is noticed when that becomes long. */
static void lengthen(struct sw_heads *s, uint32_t i, uint64_t count, uint64_t bytes,
		     const struct sw_heads_limits *limits)
{
	struct sw_chain *c = &s->chain[i];

	c->bytes += bytes;
	c->accesses += count;
	c->recent = 1;
	s->latest = i;
	if (c->accesses >= limits->proven && c->accesses - count < limits->proven)
		s->evidence.long_chains += 1;
}

static void foretell(struct sw_heads *s, uint32_t i, uint64_t start, int64_t outer)
{
	s->chain[i].start = start;
	s->chain[i].outer = outer;
	s->next[i] = mark(start + (uint64_t)outer);
}

static void move(struct sw_heads *s, uint32_t i, uint64_t offset, uint64_t end)
{
	s->last[i] = mark(offset);
	s->end[i] = end;
}

/* The head to give up: not one that moved lately, if another can be found. */
static uint32_t victim(struct sw_heads *s, uint32_t heads, uint32_t proven)
{
	if (s->live < heads)
		return s->live++;
	for (uint32_t tries = 0; tries < heads; tries++) {
		struct sw_chain *c = &s->chain[s->hand];

		if (!c->recent || c->accesses < proven)
			break;
		c->recent = 0;
		s->hand = s->hand + 1 == heads ? 0 : s->hand + 1;
	}
	retire(s, s->hand);
	return s->hand;
}

static uint32_t jump(struct sw_heads *s, uint64_t offset, uint64_t size, const struct sw_chain *from,
		     const struct sw_heads_limits *limits)
{
	struct sw_evidence *e = &s->evidence;
	struct sw_chain parent = *from;
	uint32_t i = victim(s, limits->heads, limits->proven);
	int32_t direction = offset > s->last_jump ? 1 : -1;

	if (e->steps[SW_JUMP]) {
		tally(&e->jumps, (int64_t)(offset - s->last_jump), 1);
		if (direction > 0)
			e->upwards += 1;
		else
			e->downwards += 1;
		if (s->direction && direction != s->direction)
			e->turns += 1;
		s->direction = direction;
	}
	s->last_jump = offset;
	s->hand = i + 1 >= limits->heads ? 0 : i + 1;
	s->chain[i] = (struct sw_chain){
		.accesses = 1,
		.bytes = size,
		.offset = offset,
		.before = e->accesses,
		.before_bytes = e->bytes,
		.row = offset,
		.pitch = (int64_t)(offset - parent.row),
		.parent_row = parent.row,
		.parent_pitch = parent.pitch,
		.skipped = UINT64_MAX,
	};
	s->latest = i;
	move(s, i, offset, offset + size);
	foretell(s, i, offset, (int64_t)(offset - parent.start));
	return i;
}

/*
 * The head nearest to an offset by where it ended, the first of several; the distance is 0 when it reads on there. Time
 * goes here: so that compilers make vectors of it, a distance and its head are one number.
 */
static uint32_t nearest(const struct sw_heads *s, uint64_t offset, uint64_t *distance)
{
	int64_t least = INT64_MAX;
	uint32_t found;

	for (int64_t i = 0; i < s->live; i++) {
		uint64_t apart = offset - s->end[i];
		int64_t far = (int64_t)apart < 0 ? -apart : apart;
		int64_t both = (uint64_t)(far < FARTHEST ? far : FARTHEST) * SW_MOST_HEADS + i;

		least = both < least ? both : least;
	}
	found = (uint64_t)least % SW_MOST_HEADS;
	*distance = offset - s->end[found];
	return found;
}

static int any(marks found)
{
	uint64_t halves[2];

	memcpy(halves, &found, sizeof(halves));
	return (halves[0] | halves[1]) != 0;
}

/* The head that foretells an offset by its distance; and is there one whose last access began at `end`? */
static uint32_t foreteller(const struct sw_heads *s, uint64_t offset, uint64_t end, int *mirrored)
{
	marks begun = {0}, told = {0};
	uint32_t wanted = mark(offset), ends = mark(end);

	for (uint32_t i = 0; i < s->live; i += 4) {
		marks last, next;

		memcpy(&last, s->last + i, sizeof(last));
		memcpy(&next, s->next + i, sizeof(next));
		begun |= (marks)(last == ends);
		told |= (marks)(next == wanted);
	}
	*mirrored = any(begun);
	if (any(told)) {
		for (uint32_t i = 0; i < s->live; i++)
			if (s->next[i] == wanted && s->chain[i].start + (uint64_t)s->chain[i].outer == offset)
				return i;
	}
	return NONE;
}

static enum sw_step direction_of(int64_t outer)
{
	if (!outer)
		return SW_REPEAT;
	return outer > 0 ? SW_STRIDED : SW_BACKWARD;
}

static int overlaps(const struct sw_chain *c, uint64_t size)
{
	return c->outer && (uint64_t)(c->outer < 0 ? -c->outer : c->outer) < size;
}

/* Let a head go on with an access that is not where it was foretold exactly; SW_JUMP when it does not belong to it. */
static enum sw_step approach(struct sw_heads *s, uint32_t i, uint64_t offset, uint64_t size, uint32_t mapped,
			     const struct sw_heads_limits *limits)
{
	struct sw_chain *c = &s->chain[i];
	int proven = c->accesses >= limits->proven;
	uint64_t hole = limits->skips * (size > limits->page ? size : limits->page);
	int64_t ahead = (int64_t)(offset - s->end[i]), moved = (int64_t)(offset - c->start);

	if (offset + size == c->start && !(proven && c->forward)) {
		foretell(s, i, offset, moved);
		c->forward = 0;
		move(s, i, offset, offset + size);
		return SW_BACKWARD;
	}
	if (proven && c->pitch && (int64_t)(offset - c->row) == c->pitch) {
		c->row = offset;
		foretell(s, i, offset, c->outer);
		move(s, i, offset, offset + size);
		return direction_of(c->pitch);
	}
	/* Inside the stretch that was foretold: its first accesses were left out. */
	if (proven && c->outer && s->end[i] - c->start <= hole &&
	    offset - c->start - (uint64_t)c->outer < s->end[i] - c->start) {
		foretell(s, i, c->start + (uint64_t)c->outer, c->outer);
		move(s, i, offset, offset + size);
		return direction_of(c->outer);
	}
	if (proven && c->outer && moved / c->outer > 1 && moved / c->outer <= (int64_t)limits->skips &&
	    moved % c->outer == 0) {
		foretell(s, i, offset, c->outer);
		move(s, i, offset, offset + size);
		return direction_of(c->outer);
	}
	if (c->accesses < limits->settled && i != s->latest && !mapped)
		return SW_JUMP;
	if (ahead > 0 && (uint64_t)ahead <= hole) {
		if (c->skipped > s->end[i] || offset - c->skipped > hole)
			c->skipped = s->end[i];
		tally(&s->evidence.holes, moved, 1);
		/* A hole does not end a row, unless holes become the rule. */
		if (!c->regular || (int64_t)(offset - c->hole) == c->hop) {
			foretell(s, i, offset, moved);
			c->regular = 0;
		}
		c->hop = (int64_t)(offset - c->hole);
		c->hole = offset;
		c->forward = 1;
		move(s, i, offset, offset + size);
		return SW_GAP;
	}
	/* Late: where it will go on does not change. */
	if (ahead < 0 && proven && offset >= c->skipped && -(uint64_t)ahead <= hole + size)
		return SW_GAP;
	if (ahead < 0 && mapped && offset + size == s->end[i])
		return SW_REPEAT;
	if (ahead < 0 && mapped && -(uint64_t)ahead <= limits->around + size) {
		if (offset + size > s->end[i])
			move(s, i, offset, offset + size);
		return SW_GAP;
	}
	return SW_JUMP;
}

/* Give an access to the head that it belongs to, or to a new one. */
static enum sw_step place(struct sw_heads *s, uint64_t offset, uint64_t size, uint32_t mapped,
			  const struct sw_heads_limits *limits, uint32_t *head)
{
	uint64_t distance = 0, hole = limits->skips * (size > limits->page ? size : limits->page);
	uint32_t i = s->latest, told;
	enum sw_step step;
	int64_t behind;
	int mirrored, row = 0;

	if (!s->live) {
		static const struct sw_chain none;

		*head = jump(s, offset, size, &none, limits);
		return SW_JUMP;
	}
	told = foreteller(s, offset, offset + size, &mirrored);
	s->evidence.mirrored += mirrored;
	if (s->end[i] != offset)
		i = nearest(s, offset, &distance);
	/* Windows that overlap begin where older ones end. */
	if (!distance && told != NONE && overlaps(&s->chain[told], size) &&
	    s->chain[told].accesses > s->chain[i].accesses)
		distance = 1;
	if (!distance) {
		s->chain[i].forward = 1;
		move(s, i, offset, offset + size);
		step = SW_CONSECUTIVE;
	} else if (told != NONE) {
		i = told;
		row = s->end[i] - s->chain[i].start > size;
		step = direction_of(s->chain[i].outer);
		s->chain[i].forward = step == SW_STRIDED;
		s->chain[i].regular = 1;
		if (s->chain[i].accesses == 1) {
			s->chain[i].row = s->chain[i].parent_row;
			s->chain[i].pitch = s->chain[i].parent_pitch;
		}
		foretell(s, i, offset, s->chain[i].outer);
		move(s, i, offset, offset + size);
	} else {
		behind = (int64_t)(s->chain[s->latest].start - offset - size);
		if (behind > 0 && (uint64_t)behind <= hole)
			s->evidence.mirrored_gaps += 1;
		row = s->end[i] - s->chain[i].start > size;
		step = approach(s, i, offset, size, mapped, limits);
	}
	if (step == SW_JUMP) {
		*head = jump(s, offset, size, &s->chain[i], limits);
		return SW_JUMP;
	}
	if (step == SW_STRIDED || step == SW_BACKWARD)
		tally(&s->evidence.strides, s->chain[i].outer, 1);
	if (step == SW_STRIDED)
		s->evidence.rows += row;
	lengthen(s, i, 1, size, limits);
	*head = i;
	return step;
}

static void add_one(struct sw_heads *s, uint64_t offset, uint64_t size, int64_t ns, uint32_t mapped,
		    const struct sw_heads_limits *limits)
{
	enum sw_step step;
	uint32_t i;

	step = place(s, offset, size, mapped, limits, &i);
	if (step != SW_JUMP && offset != s->last_end) {
		s->evidence.hopped += 1;
		tally(&s->evidence.hops, (int64_t)(offset - s->last_end), 1);
	}
	s->last_end = offset + size;
	credit(s, step, 1, size, ns, 0);
	sample(s, offset, 0, 1);
	s->evidence.accesses += 1;
	s->evidence.bytes += size;
}

/* The accesses after the first one of a long run go on in the same way. */
static void add_rest(struct sw_heads *s, const struct sw_series *run, uint64_t count, uint64_t tail, double every_ns,
		     const struct sw_heads_limits *limits)
{
	uint64_t last = run->offset + (count - 1) * (uint64_t)run->stride;
	uint64_t rest = count - 1, bytes = (count - 2) * run->size + tail;
	enum sw_step step = direction_of(run->stride);
	uint32_t i = s->latest;

	if ((uint64_t)run->stride == run->size) {
		step = SW_CONSECUTIVE;
	} else {
		foretell(s, i, last, run->stride);
		if (run->stride)
			tally(&s->evidence.strides, run->stride, rest);
	}
	s->chain[i].forward = run->stride > 0;
	move(s, i, last, last + tail);
	s->last_end = last + tail;
	credit(s, step, rest, bytes, run->start_ns + (int64_t)every_ns, every_ns);
	sample(s, run->offset + (uint64_t)run->stride, (uint64_t)run->stride, rest);
	s->evidence.accesses += rest;
	s->evidence.bytes += bytes;
	lengthen(s, i, rest, bytes, limits);
}

FOR_PROCESSORS void sw_heads_add(struct sw_heads *s, const struct sw_series *run, const struct sw_heads_limits *limits)
{
	struct sw_evidence *e = &s->evidence;
	double every_ns = run->count > 1 ? (double)run->span_ns / (double)(run->count - 1) : 0;
	uint64_t count = run->count, tail = run->tail, last = run->offset + (count - 1) * (uint64_t)run->stride;
	uint64_t high;

	if (run->start_ns < e->first_ns)
		e->first_ns = run->start_ns;
	if (run->start_ns + run->span_ns > e->last_ns)
		e->last_ns = run->start_ns + run->span_ns;
	if (tail < run->requested && last + tail > e->end_of_file)
		e->end_of_file = last + tail;
	if (!tail) {
		e->empty += 1;
		count -= 1;
		tail = run->size;
		last -= (uint64_t)run->stride;
	}
	if (!run->size) {
		e->empty += count;
		return;
	}
	if (!count)
		return;
	high = run->offset + (count > 1 ? run->size : tail);
	if (high < last + tail)
		high = last + tail;
	if (high > e->high)
		e->high = high;
	if (run->offset < e->low)
		e->low = run->offset;
	if (last < e->low)
		e->low = last;
	tally(&e->requests, (int64_t)run->requested, count);
	if (run->around)
		e->around += count;
	for (uint64_t i = 0; i < count && e->early < SW_EARLY; i++, e->early++) {
		e->early_offset[e->early] = run->offset + i * (uint64_t)run->stride;
		e->early_size[e->early] = run->requested;
	}
	if (count > 1 && ((uint64_t)run->stride == run->size || count > limits->expanded)) {
		add_one(s, run->offset, run->size, run->start_ns, run->op == SW_MMAP, limits);
		add_rest(s, run, count, tail, every_ns, limits);
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		add_one(s, run->offset + i * (uint64_t)run->stride, i + 1 == count ? tail : run->size,
			run->start_ns + (int64_t)(every_ns * (double)i), run->op == SW_MMAP, limits);
}

void sw_heads_end(struct sw_heads *s, const struct sw_heads_limits *limits)
{
	struct sw_evidence *e = &s->evidence;

	for (uint32_t i = 0; i < s->live; i++)
		retire(s, i);
	s->live = 0;
	for (int k = 0; k < SW_SCALES; k++) {
		sw_lines(s->samples, e->sampled, 1ULL << k, 0, e->rising[k]);
		sw_lines(s->samples, e->sampled, 1ULL << k, UINT64_MAX, e->falling[k]);
	}
	/* It takes time, so it is looked for where it tells something: of what rises, but does not read on. */
	if (4 * e->rising[0][SW_LINES - 1] >= 3 * e->sampled && 2 * e->steps[SW_CONSECUTIVE] <= e->accesses)
		e->lattice = sw_lattice(s->samples, e->sampled, limits->lattice, &e->places, &e->on_lattice);
}
