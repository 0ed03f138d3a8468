/* passes.c - a section in passes, each by the algorithm that its conv was planned for. */
#include "core/engine/passes.h"
#include "core/engine/concat.h"
#include "core/engine/direct.h"
#include "core/engine/winograd.h"

/* ---- the algorithms ---- */

/* How a pass that begins with a conv, or with none, is computed. */
struct pass_row {
    /* Scratch that a thread needs. The direct form always has its own. */
    size_t (*block_floats)(const struct section_state *state, const struct pass *pass);
    /* Whether the pass can include layers after the conv, other than a clamp. */
    bool (*takes_layers)(const struct section_state *state, const struct pass *pass);
    /* False: maps that are not finite remain, for the direct form. */
    bool (*run)(const struct section_state *state, const struct pass *pass);
};

static size_t no_floats(const struct section_state *state, const struct pass *pass)
{
    (void)state, (void)pass;
    return 0;
}

static bool takes_any_layers(const struct section_state *state, const struct pass *pass)
{
    (void)state, (void)pass;
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
static bool ends_before(const struct section_state *state, const struct pass *pass,
                        const struct layer *layer)
{
    float low, high;
    if (pass->count == 0)
        return false;
    if ((pass->count > 1 || !fused_clamp(layer, &low, &high)) &&
        !row_of(pass)->takes_layers(state, pass))
        return true;
    return layer->kind == LAYER_CONV && conv_taps(layer) > 1;
}

static struct window pointwise_window(void)
{
    return (struct window){.size = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
}

/* The pass reads what the section does, or the map of the pass before. */
static void begin_pass(const struct section_state *state, struct passes *passes, size_t index)
{
    const struct section_plan *plan = state->plan;
    struct pass *pass = &passes->list[index];
    *pass = (struct pass){.is_first = index == 0,
                          .sources = index == 0 ? passes->sources : &passes->between[index],
                          .source_count = index == 0 ? plan->section->part_count : 1,
                          .channels = plan->section->concat_channels,
                          .in = index == 0 ? plan->in : plan->out,
                          .window = pointwise_window(),
                          .tiles = plan->tiles,
                          .ret = {.h = plan->out.h, .w = plan->out.w}};
    if (index == 0)
        return;
    const struct map *before = &passes->list[index - 1].ret;
    pass->channels = before->channels;
    passes->between[index] =
        (struct source){.kind = PART_MAP, .map = *before, .channels = before->channels};
}

/* The layer that a pass begins with: the index-th of the section. */
static void begin_layers(const struct section_plan *plan, size_t index, struct pass *pass)
{
    const struct layer *layer = plan->section->layers[index];
    pass->layers = &plan->section->layers[index];
    if (layer->kind != LAYER_CONV)
        return;
    pass->window = section_window(layer, pass->in);
    pass->algorithm = plan->by[index];
    pass->takes_pairs = layer->bfloat16 && (pass->is_first || conv_taps(layer) > 1);
}

static void find_sources(const struct section_state *state, struct source *ret)
{
    const struct section_plan *plan = state->plan;
    for (size_t i = 0; i < plan->section->part_count; i++) {
        const struct part *part = &plan->section->parts[i];
        ret[i] = (struct source){.kind = part->source,
                                 .from = part->from,
                                 .branch = part->branch,
                                 .first = part->first,
                                 .channels = part->channels};
        if (part->source != PART_BRANCH)
            ret[i].map = state->of->values[part->value];
        if (part->source == PART_STRETCHED)
            ret[i].stretch = &plan->stretches[i];
    }
}

static void split(const struct section_state *state, struct passes *passes)
{
    const struct section *section = state->plan->section;
    find_sources(state, passes->sources);
    passes->count = 1;
    begin_pass(state, passes, 0);
    passes->list[0].ret.channels = section->concat_channels;
    for (size_t i = 0; i < section->layer_count; i++) {
        const struct layer *layer = section->layers[i];
        if (ends_before(state, &passes->list[passes->count - 1], layer))
            begin_pass(state, passes, passes->count++);
        struct pass *pass = &passes->list[passes->count - 1];
        if (pass->count++ == 0)
            begin_layers(state->plan, i, pass);
        pass->ret.channels = layer->out_channels;
    }
}

/* How a pass is computed, now that its layers are known. */
static void finish_pass(const struct section_state *state, struct passes *passes, size_t index)
{
    struct pass *pass = &passes->list[index];
    const bool is_last = index + 1 == passes->count;
    const bool has_conv = pass->count > 0 && pass->layers[0]->kind == LAYER_CONV;
    const struct layer *next = pass->count > 1 ? pass->layers[1] : NULL;
    if (is_last)
        pass->ret = state->of->ret;
    pass->fused = !has_conv ? 0 : fuses_clamp(pass->layers[0], next) ? 2 : 1;
    pass->is_conv_alone = has_conv && pass->fused == pass->count && pass->ret.layout == PPM_NCHW;
    const size_t direct = direct_plan(state, pass);
    const size_t floats = size_max(direct, row_of(pass)->block_floats(state, pass));
    passes->block_floats = size_max(passes->block_floats, floats);
    if (!is_last)
        passes->widest = size_max(passes->widest, pass->ret.channels);
}

void passes_plan(const struct section_state *state, struct passes *ret_passes)
{
    ret_passes->block_floats = ret_passes->widest = 0;
    split(state, ret_passes);
    for (size_t i = 0; i < ret_passes->count; i++)
        finish_pass(state, ret_passes, i);
}

/* ---- a run ---- */

void stage_passes(const struct section_state *state, struct passes *passes)
{
    const struct section *section = state->plan->section;
    if (section->layer_count == 0 && concat_fits(state, passes->sources)) {
        stage_concat(state, passes->sources);
        return;
    }
    for (size_t i = 0; i < passes->count; i++) {
        struct pass *pass = &passes->list[i];
        if (i + 1 < passes->count)
            passes->between[i + 1].map.data = pass->ret.data = state->maps[i % 2];
        if (!row_of(pass)->run(state, pass))
            direct_run_again(state, pass);
    }
}
