/* test_run.c - ppm_run: refusals, options, cancelling. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>

TestSuite(run, .init = support_open_folder, .fini = support_close_folder);

/* Widths grow in the branches and in the head, so no layer's buffer is large enough for the next.
 */
#define WIDENING                                                                                   \
    "{'input': {'channels': 2}, 'bins': [1, 3], 'weights': {'random': 5},"                         \
    " 'branch': [{'conv': {'channels': 40}}, 'relu'],"                                             \
    " 'head': ['elu', {'conv': {'channels': 300, 'kernel': 3}}, {'conv': {'channels': 400,"        \
    " 'weights': 'last'}}, 'gelu'], 'output': {'scale': 2, 'as': 'softmax'}}"

#define CASCADE                                                                                    \
    "{'input': {'channels': 3}, 'bins': [2, 1], 'weights': {'random': 5}, 'cascade': true,"        \
    " 'branch': ['conv', 'tanh'], 'head': [{'conv': {'channels': 80}}],"                           \
    " 'output': {'as': 'argmax'}}"

/* Returns true at call number `at`, and if is_lasting at all later ones. */
struct canceller {
    atomic_long calls;
    long at;
    bool is_lasting;
};

static bool is_cancelled(void *context)
{
    struct canceller *canceller = context;
    const long call = ++canceller->calls;
    return canceller->is_lasting ? call >= canceller->at : call == canceller->at;
}

static struct ppm_tensor input_of(const struct ppm_model *model, size_t h, size_t w)
{
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    return support_tensor((struct ppm_shape){2, info.inputs[0].channels, h, w}, PPM_NCHW, NULL);
}

/* A run can be cancelled at any point and leaves y as it was. */
static void cancel_at_every_call(const char *json, int threads, bool is_lasting)
{
    struct ppm_model *model = support_load_ok(json);
    struct ppm_tensor x = input_of(model, 4, 5);
    enum ppm_status status = PPM_CANCELLED;
    long at = 1;
    for (; status == PPM_CANCELLED; at++) {
        struct canceller canceller = {.at = at, .is_lasting = is_lasting};
        const struct ppm_run_options options = {
            .threads = threads, .is_cancelled = is_cancelled, .cancel_context = &canceller};
        struct ppm_tensor y = {.shape = {7, 7, 7, 7}};
        struct ppm_error error = {0};
        status = ppm_run(model, &x, &options, &y, &error);
        const bool was_asked = canceller.calls >= at;
        cr_assert(status == (was_asked ? PPM_CANCELLED : PPM_OK),
                  "told to stop at call %ld of %ld: found status %d", at, (long)canceller.calls,
                  (int)status);
        cr_assert(error.status == status);
        if (was_asked)
            cr_assert(y.data == NULL && y.shape.n == 7, "y was touched at call %ld", at);
        ppm_tensor_free(&y);
    }
    cr_expect(at > 5, "asked %ld times, expected once a stage or more", at);
    ppm_tensor_free(&x);
    ppm_model_free(model);
}

Test(run, stops_when_cancelled)
{
    cancel_at_every_call(WIDENING, 1, true);
    cancel_at_every_call(WIDENING, 2, true);
    cancel_at_every_call(CASCADE, 1, true);
}

/* A callback that returns true once and then false cancels the run. */
Test(run, stops_when_cancelled_once)
{
    cancel_at_every_call(WIDENING, 1, false);
    cancel_at_every_call(WIDENING, 2, false);
    cancel_at_every_call(CASCADE, 1, false);
}

/* So large that a cancelled run that read too far would leave its memory. */
Test(run, stops_at_once_on_large_maps)
{
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 1}, 'bins': [1], 'branch': [], 'weights': {'random': 1},"
        " 'head': [{'conv': {'channels': 500}}]}");
    struct ppm_tensor x = input_of(model, 128, 128), y = {0};
    struct canceller canceller = {.at = 1, .is_lasting = true};
    const struct ppm_run_options options = {.is_cancelled = is_cancelled,
                                            .cancel_context = &canceller};
    struct ppm_error error = {0};
    cr_expect(ppm_run(model, &x, &options, &y, &error) == PPM_CANCELLED);
    cr_expect(y.data == NULL);
    cr_expect(strstr(error.text, "abandoned") != NULL, "%s", error.text);
    ppm_tensor_free(&x);
    ppm_model_free(model);
}

Test(run, refuses_what_does_not_fit)
{
    struct ppm_model *model =
        support_load_ok("{'input': {'channels': 2}, 'bins': [6], 'pool': 'same', 'branch': []}");
    static const struct {
        struct ppm_shape shape;
        enum ppm_status status;
        const char *text;
    } cases[] = {
        {{1, 3, 9, 9}, PPM_UNFIT, "found 3 channels, expected the model's 2"},
        {{1, 2, 9, 2}, PPM_UNFIT, "bin 6 makes a pooling window of 2 x 0 pixels"},
        {{0, 2, 9, 9}, PPM_MALFORMED, "dimension of 0"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        float value = 0;
        struct ppm_tensor x = {.shape = cases[i].shape, .is_batch = true, .data = &value};
        struct ppm_tensor y = {.shape = {7, 7, 7, 7}};
        cr_expect(ppm_run(model, &x, NULL, &y, &error) == cases[i].status, "case %zu", i);
        cr_expect(strstr(error.text, cases[i].text) != NULL, "case %zu: \"%s\"", i, error.text);
        cr_expect(y.data == NULL && y.shape.n == 7, "case %zu: y was touched", i);
    }
    ppm_model_free(model);
}

Test(run, tells_its_times)
{
    struct ppm_model *model = support_load_ok(WIDENING);
    struct ppm_tensor x = input_of(model, 9, 9), y = {0};
    struct ppm_stage_times times = {-1, -1, -1, -1};
    struct ppm_error error = {0};
    cr_assert(ppm_run(model, &x, &(struct ppm_run_options){.ret_times = &times}, &y, &error) ==
                  PPM_OK,
              "%s", error.text);
    cr_expect(times.pool_ms >= 0 && times.branches_ms >= 0 && times.head_ms >= 0 &&
              times.output_ms >= 0);
    cr_expect(y.is_batch && y.layout == PPM_NCHW && y.dtype == PPM_FLOAT32);
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_model_free(model);
}

/* Maps of a batch are independent. */
Test(run, a_batch_is_its_maps)
{
    struct ppm_model *model = support_load_ok(WIDENING);
    struct ppm_tensor x = input_of(model, 5, 6), y = {0};
    struct ppm_error error = {0};
    cr_assert(ppm_run(model, &x, NULL, &y, &error) == PPM_OK, "%s", error.text);
    for (size_t n = 0; n < 2; n++) {
        struct ppm_tensor map = x, found = {0}, expected = y;
        map.shape.n = expected.shape.n = 1;
        map.data = (float *)x.data + n * support_elements(&map);
        expected.data = (float *)y.data + n * support_elements(&expected);
        cr_assert(ppm_run(model, &map, NULL, &found, &error) == PPM_OK, "%s", error.text);
        cr_expect(support_is_same(&found, &expected), "map %zu", n);
        ppm_tensor_free(&found);
    }
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_model_free(model);
}
