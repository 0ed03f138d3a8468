/* test_live_bfloat16.c - a model that computes with bfloat16: its description if this machine
 * supports it, the error if not. */
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

TestSuite(live_bfloat16, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

static const char *write_model(void)
{
    return support_write_json("half.json",
                              "{'input': {'channels': 40}, 'bins': [1, 2], 'branch': ['conv'],"
                              " 'head': [{'conv': {'channels': 9}}], 'compute': 'bfloat16',"
                              " 'weights': {'random': 1}}");
}

static void check_answer(const char *path)
{
    struct live live;
    const char *type;
    double error, share;
    int n, c, h, w;
    live_start(&live, LIST("--model", path), NULL);
    struct live_answer answer = live_ask(&live, "GET", "/ppm", "", NULL, 0);
    json_t *root = json_loads(answer.body, 0, NULL);
    cr_assert(json_unpack(root, "{s:{s:s, s:F, s:F, s:[i, i, i, i]}}", "compute", "type", &type,
                          "share_of_float32_time", &share, "largest_error", &error,
                          "measured_shape", &n, &c, &h, &w) == 0,
              "%s", answer.body);
    cr_expect_str_eq(type, "bfloat16");
    cr_expect(error > 1e-5 && error < 0x1p-7, "%g", error);
    cr_expect_gt(share, 0);
    cr_expect(n == 1 && c == 40 && h == 12 && w == 12, "%s", answer.body);
    json_decref(root);
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_bfloat16, is_described_or_refused)
{
    const char *path = write_model();
    struct live_output output = live_run(LIST("describe", "--model", path), NULL);
    if (output.status == 0) {
        cr_expect(
            strstr(output.out, "\ncompute         bfloat16, differs from float32 by at most 0.00"),
            "%s", output.out);
        cr_expect(strstr(output.out, "\ncompute time    products take "), "%s", output.out);
        cr_expect(strstr(output.out, " of the largest value, random x [1, 40, 12, 12]\n"), "%s",
                  output.out);
        check_answer(path);
    } else {
        cr_expect(strstr(output.err, "half.json: compute: found \"bfloat16\""), "%s", output.err);
    }
    live_output_free(&output);
}

/* Kernels that every machine of this architecture has, without bfloat16 products. */
Test(live_bfloat16, is_refused_elsewhere)
{
    static const char *const sets[] = {"PPM_ISA=avx2", "PPM_ISA=neon"};
    for (size_t i = 0; i < COUNT(sets); i++) {
        struct live_output output =
            live_run(LIST("serve", "--port", "0", "--model", write_model()), LIST(sets[i]));
        cr_expect(output.status != 0, "%s: %s", sets[i], output.out);
        cr_expect(strstr(output.err, "half.json: compute: found \"bfloat16\"") ||
                      strstr(output.err, "expected a kernel set that this build has"),
                  "%s: %s", sets[i], output.err);
        live_output_free(&output);
    }
}

/* With slow bfloat16 kernels it is served, with a warning in the log. */
Test(live_bfloat16, is_served_with_a_warning_where_it_is_slow)
{
    struct live live;
    live_start(&live, LIST("--model", write_model()), LIST("PPM_ISA=scalar"));
    live_wait_log(&live, "half.json: compute: bfloat16 products take ");
    live_wait_log(&live, " of float32's time here (scalar kernels), expected at most 0.8;");
    live_stop(&live);
}

Test(live_bfloat16, others_compute_with_float32)
{
    struct live live;
    const char *type;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    struct live_answer answer = live_ask(&live, "GET", "/ppm", "", NULL, 0);
    json_t *root = json_loads(answer.body, 0, NULL), *compute = json_object_get(root, "compute");
    cr_assert(json_unpack(compute, "{s:s}", "type", &type) == 0, "%s", answer.body);
    cr_expect_str_eq(type, "float32");
    cr_expect_eq(json_object_size(compute), 1);
    json_decref(root);
    live_answer_free(&answer);
    live_stop(&live);
}
