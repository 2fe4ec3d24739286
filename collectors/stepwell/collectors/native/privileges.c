#include <errno.h>
#include <sys/prctl.h>

#include "stepwell.h"

int sw_drop_ambient(void)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ? -errno : 0;
}
