/* metrics_process.c - process_*: memory, CPU time and descriptors, named as by Prometheus' client
 * libraries. Leaves out what the kernel does not report. */
#include "server/observe/metrics_process.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static void print_memory(struct metrics_page *page)
{
    unsigned long virtual_pages, resident_pages;
    const double page_bytes = (double)sysconf(_SC_PAGESIZE);
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm) {
        page->is_short = page->is_short || errno == ENOMEM;
        return;
    }
    if (fscanf(statm, "%lu %lu", &virtual_pages, &resident_pages) == 2) {
        metrics_print_value(page, "process_resident_memory_bytes", "gauge", "Memory in use (RSS).",
                            page_bytes * (double)resident_pages);
        metrics_print_value(page, "process_virtual_memory_bytes", "gauge", "Address space in use.",
                            page_bytes * (double)virtual_pages);
    }
    fclose(statm);
}

static void print_descriptors(struct metrics_page *page)
{
    struct rlimit limit;
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) {
        page->is_short = page->is_short || errno == ENOMEM;
    } else {
        while (readdir(directory))
            count++;
        closedir(directory);
        metrics_print_value(page, "process_open_fds", "gauge", "Open file descriptors.",
                            (double)(count - 3)); /* not "." and "..", nor this directory's own */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_print_value(page, "process_max_fds", "gauge", "Limit of open file descriptors.",
                            (double)limit.rlim_cur);
}

void metrics_print_process(struct metrics_page *page)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_print_value(page, "process_cpu_seconds_total", "counter",
                            "User and system CPU time.",
                            seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    print_memory(page);
    print_descriptors(page);
}
