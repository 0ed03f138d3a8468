/* metrics_page.c - see metrics_page.h. */
#include "server/observe/metrics_page.h"

#include <stdarg.h>

void metrics_print(struct metrics_page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    page->is_short = vfprintf(page->file, format, arguments) < 0 || page->is_short;
    va_end(arguments);
}

void metrics_print_head(struct metrics_page *page, const char *name, const char *kind,
                        const char *help)
{
    metrics_print(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

void metrics_print_value(struct metrics_page *page, const char *name, const char *kind,
                         const char *help, double value)
{
    metrics_print_head(page, name, kind, help);
    metrics_print(page, "%s %.16g\n", name, value);
}
