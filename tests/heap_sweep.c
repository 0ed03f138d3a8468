/* heap_sweep.c - see heap_sweep.h. */
#include "tests/heap_sweep.h"

#ifndef MALLOC_IS_TAKEN

#    include "tests/support.h"

#    include <criterion/criterion.h>

static bool attempt_with(const struct heap_attempt *a, long k, long count)
{
    struct ppm_error error = {0};
    const size_t blocks = heap_blocks();
    heap_refuse(a->threads, k, count);
    const bool is_done = a->attempt(&error);
    heap_relent();
    const bool has_refused = heap_has_refused();
    if (is_done)
        a->release();
    cr_assert(has_refused || is_done == a->expected, "%s: %s", a->what, error.text);
    cr_assert(is_done == (error.status == PPM_OK), "%s, request %ld: %s", a->what, k, error.text);
    cr_assert(is_done || *error.text, "%s, request %ld: an error without text", a->what, k);
    cr_assert(heap_blocks() == blocks, "%s, request %ld: %zd blocks leak", a->what, k,
              (ssize_t)(heap_blocks() - blocks));
    return has_refused;
}

void heap_sweep(const struct heap_attempt *a)
{
    static const long in_a_row[] = {1, HEAP_WITHOUT_END};
    struct ppm_error error = {0};
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place"); /* valgrind's */
    if (a->attempt(&error))                         /* libraries now have what they keep */
        a->release();
    for (size_t i = 0; i < COUNT(in_a_row); i++) {
        long k = 0;
        while (attempt_with(a, k, in_a_row[i]))
            k++;
        cr_expect(k >= a->requests_min, "%s: %ld requests for memory, expected at least %ld",
                  a->what, k, a->requests_min);
    }
    cr_assert(!heap_leaks(), "%s", a->what);
}

#endif
