/* threads.c - the cores that this process may use, and a team of threads. */
#include "core/base/threads.h"
#include "core/ppm.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* cgroup v2: "max 100000" or "150000 100000", quota and period in microseconds.
 * Returns the quota in cores, rounded up; 0: no limit. */
static int cores_of_quota(const char *path)
{
    FILE *file = fopen(path, "re");
    double quota_us = 0, period_us = 0;
    if (!file)
        return 0;
    int fields = fscanf(file, "%lf %lf", &quota_us, &period_us); /* none for "max" */
    fclose(file);
    return fields == 2 && quota_us > 0 && period_us > 0 ? (int)ceil(quota_us / period_us) : 0;
}

/* The tightest quota of this process's cgroup and its ancestors. */
static int cores_of_cgroup(void)
{
    char path[512] = "/sys/fs/cgroup", line[400];
    int cores = cores_of_quota("/sys/fs/cgroup/cpu.max");
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return cores;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        for (char *end = line + strlen(line); end > line + 3; end = strrchr(line, '/')) {
            *end = '\0';
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", line + 3);
            int quota = cores_of_quota(path);
            if (quota > 0 && (cores == 0 || quota < cores))
                cores = quota;
        }
    }
    fclose(file);
    return cores;
}

void ppm_count_cores(struct ppm_cores *ret_cores)
{
    cpu_set_t set;
    ret_cores->affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    ret_cores->quota = cores_of_cgroup();
}

int ppm_default_threads(void)
{
    struct ppm_cores cores;
    ppm_count_cores(&cores);
    return cores.quota > 0 && cores.quota < cores.affinity ? cores.quota : cores.affinity;
}

void ppm_on_threads(int threads, void (*work)(void *context, int index), void *context)
{
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int i = 0; i < threads; i++)
        work(context, i);
}
