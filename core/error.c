/* error.c - one cause, one sentence. */
#include "core/ppm.h"

#include <stdarg.h>
#include <stdio.h>

enum ppm_status ppm_fail(struct ppm_error *error, enum ppm_status status, const char *format, ...)
{
    if (error->status != PPM_OK)
        return error->status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return error->status = status;
}
