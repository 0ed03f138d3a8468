/* version.c - the version of the library, which is the program's. */
#include "core/ppm.h"

const char *ppm_version(void)
{
    return PPM_VERSION;
}
