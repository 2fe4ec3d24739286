#include "lines.h"

#include "heads.h"

void sw_lines(const uint64_t *samples, uint64_t number, uint64_t scale, uint64_t mirror, uint64_t *lines)
{
	uint64_t row[SW_LINES][SW_SAMPLES], length[SW_LINES] = {0};

	for (uint64_t i = 0; i < number; i += scale) {
		uint64_t value = samples[i] ^ mirror;

		for (int k = 0; k < SW_LINES; k++) {
			uint64_t low = 0, high = length[k], pushed;

			while (low < high) {
				uint64_t middle = (low + high) / 2;

				if (row[k][middle] < value)
					low = middle + 1;
				else
					high = middle;
			}
			if (low == length[k]) {
				row[k][length[k]++] = value;
				break;
			}
			pushed = row[k][low];
			row[k][low] = value;
			value = pushed;
		}
	}
	for (int k = 0; k < SW_LINES; k++)
		lines[k] = length[k] + (k ? lines[k - 1] : 0);
}
