/* test_error.c - an error keeps its first cause, and fits its place. */
#include "core/ppm.h"

#include <criterion/criterion.h>
#include <string.h>

Test(error, keeps_the_first_cause)
{
    struct ppm_error error = {0};
    cr_expect(ppm_fail(&error, PPM_IO, "%s: %d", "first", 1) == PPM_IO);
    cr_expect(ppm_fail(&error, PPM_UNFIT, "second") == PPM_IO);
    cr_expect(error.status == PPM_IO);
    cr_expect_str_eq(error.text, "first: 1");
}

Test(error, long_texts_are_cut)
{
    char text[3 * PPM_ERROR_TEXT_BYTES];
    struct {
        struct ppm_error error;
        char behind;
    } guarded = {.behind = 'b'};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ppm_fail(&guarded.error, PPM_MALFORMED, "%s", text);
    cr_expect(strlen(guarded.error.text) == PPM_ERROR_TEXT_BYTES - 1);
    cr_expect(guarded.behind == 'b');
}
