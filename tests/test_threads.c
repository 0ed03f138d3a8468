/* test_threads.c - how many threads, which kernels. */
#include "core/ppm.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>

Test(threads, default_is_what_the_process_may_use)
{
    cpu_set_t all, one;
    cr_assert(sched_getaffinity(0, sizeof all, &all) == 0);
    cr_expect(ppm_default_threads() >= 1);
    cr_expect(ppm_default_threads() <= CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    cr_assert(sched_setaffinity(0, sizeof one, &one) == 0);
    cr_expect(ppm_default_threads() == 1);
}

Test(threads, kernel_sets_by_name)
{
    struct ppm_error error = {0};
    const char *best = ppm_isa_name();
    cr_expect(ppm_isa_select("scalar", &error) == PPM_OK);
    cr_expect_str_eq(ppm_isa_name(), "scalar");
    cr_expect(ppm_isa_select("sse9", &error) == PPM_BAD_CONFIG);
    cr_expect(strstr(error.text, "found \"sse9\", expected a kernel set") != NULL, "%s",
              error.text);
    cr_expect(strstr(error.text, "scalar") != NULL, "%s", error.text);
    cr_expect_str_eq(ppm_isa_name(), "scalar");
    error = (struct ppm_error){0};
    cr_expect(ppm_isa_select("", &error) == PPM_OK);
    cr_expect_str_eq(ppm_isa_name(), best);
    cr_expect(ppm_isa_select("scalar", &error) == PPM_OK && ppm_isa_select(NULL, &error) == PPM_OK);
    cr_expect_str_eq(ppm_isa_name(), best);
}
