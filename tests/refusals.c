/* refusals.c - see refusals.h. */
#include "tests/refusals.h"
#include "core/model/spec.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <string.h>

void check_refusals(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ppm_error error = {0};
        struct spec spec;
        const char *path = support_write_json("refused.json", refusals[i].json);
        cr_expect(spec_read(path, &spec, &error) == PPM_BAD_CONFIG, "%s: accepted",
                  refusals[i].name);
        cr_expect(strncmp(error.text, path, strlen(path)) == 0, "%s: \"%s\" does not begin with %s",
                  refusals[i].name, error.text, path);
        const char *text = error.text + strlen(path) + 2;
        cr_expect(strcmp(text, refusals[i].text) == 0, "%s: found \"%s\", expected \"%s\"",
                  refusals[i].name, text, refusals[i].text);
        spec_release(&spec);
    }
}
