/* head.c - the head in passes, each by the algorithm that its conv was planned for. */
#include "core/engine/head.h"
#include "core/engine/concat.h"
#include "core/engine/direct.h"
#include "core/engine/winograd.h"

/* ---- the algorithms ---- */

/* How a pass that begins with a conv, or with none, is computed. */
struct pass_row {
    /* Scratch that a thread needs. The direct form always has its own. */
    size_t (*block_floats)(const struct run_state *state, const struct pass *pass);
    /* Whether the pass can include layers after the conv, other than a clamp. */
    bool (*takes_layers)(const struct run_state *state, const struct layer *conv);
    /* False: maps that are not finite remain, for the direct form. */
    bool (*run)(struct run_state *state, const struct pass *pass);
};

static size_t no_floats(const struct run_state *state, const struct pass *pass)
{
    (void)state, (void)pass;
    return 0;
}

static bool takes_any_layers(const struct run_state *state, const struct layer *conv)
{
    (void)state, (void)conv;
    return true;
}

static const struct pass_row product_pass = {no_floats, takes_any_layers, direct_run};
static const struct pass_row taps_pass = {no_floats, takes_any_layers, direct_run};
static const struct pass_row winograd_pass = {winograd_block_floats, winograd_takes_layers,
                                              winograd_run};

static const struct pass_row *row_of(const struct pass *pass)
{
    static const struct pass_row *const rows[] = {
#define ROW(constant, name) [ALGORITHM_##constant] = &name##_pass,
        ALGORITHMS(ROW)
#undef ROW
    };
    return rows[pass->algorithm];
}

/* ---- the passes ---- */

/* Whether a pass ends before a layer: a conv that sees neighboring pixels, or a layer that the
 * algorithm cannot include. */
static bool ends_before(const struct run_state *state, const struct pass *pass,
                        const struct layer *layer)
{
    float low, high;
    if (pass->count == 0)
        return false;
    if ((pass->count > 1 || !fused_clamp(layer, &low, &high)) &&
        !row_of(pass)->takes_layers(state, pass->layers))
        return true;
    return layer->kind == LAYER_CONV && conv_taps(layer) > 1;
}

static void begin_pass(const struct plan *plan, size_t index, struct pass *pass)
{
    const struct layer *layer = pass->layers = &plan->spec->head.layers[index];
    if (layer->kind != LAYER_CONV)
        return;
    pass->algorithm = plan->head_by[index];
    pass->takes_pairs = layer->bfloat16 && (pass->reads_concat || conv_taps(layer) > 1);
}

static void split(const struct run_state *state, struct head *head)
{
    const struct plan *plan = state->plan;
    const struct stack *stack = &plan->spec->head;
    head->count = 1;
    head->passes[0] = (struct pass){.reads_concat = true,
                                    .map_channels = plan->spec->channels,
                                    .ret_channels = plan->spec->pyramid.concat_channels};
    for (size_t i = 0; i < stack->count; i++) {
        const struct layer *layer = &stack->layers[i];
        struct pass *pass = &head->passes[head->count - 1];
        if (ends_before(state, pass, layer)) {
            head->passes[head->count++] = (struct pass){.map_channels = pass->ret_channels};
            pass++;
        }
        if (pass->count++ == 0)
            begin_pass(plan, i, pass);
        pass->ret_channels = layer->out_channels;
    }
}

void head_plan(const struct run_state *state, struct head *ret_head)
{
    const bool has_output = geometry_has_output(state->spec, &state->plan->g);
    split(state, ret_head);
    ret_head->block_floats = 0;
    for (size_t i = 0; i < ret_head->count; i++) {
        struct pass *pass = &ret_head->passes[i];
        const bool is_last = i + 1 == ret_head->count;
        const bool has_conv = pass->count > 0 && pass->layers[0].kind == LAYER_CONV;
        pass->map_layout = pass->reads_concat ? state->x_layout : PPM_NCHW;
        pass->ret_layout = is_last && !has_output ? state->x_layout : PPM_NCHW;
        pass->fused = has_conv ? fused_layers(pass->layers, pass->count, 0) : 0;
        pass->is_conv_alone =
            has_conv && pass->fused == pass->count && pass->ret_layout == PPM_NCHW;
        const size_t direct = direct_plan(state, pass);
        const size_t floats = size_max(direct, row_of(pass)->block_floats(state, pass));
        ret_head->block_floats = size_max(ret_head->block_floats, floats);
    }
}

/* ---- a run ---- */

void stage_head(struct run_state *state, const struct head *head, float *ret)
{
    if (state->spec->head.count == 0 && head->passes[0].ret_layout == PPM_NCHW &&
        state->x_layout == PPM_NCHW) {
        stage_concat(state, ret);
        return;
    }
    for (size_t i = 0; i < head->count; i++) {
        struct pass pass = head->passes[i];
        pass.map = pass.reads_concat ? state->x : state->maps[(i - 1) % 2];
        pass.ret = i + 1 == head->count ? ret : state->maps[i % 2];
        if (!row_of(&pass)->run(state, &pass))
            direct_run_again(state, &pass);
    }
}
