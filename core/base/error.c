/* error.c - errors: one cause, in one sentence. */
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
    for (char *c = error->text; *c; c++) /* names from files must not break the line */
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return error->status = status;
}
