/* passes.c - a section in passes, each by the algorithm that its conv was planned for. */
#include "core/engine/passes.h"
#include "core/engine/concat.h"
#include "core/engine/depthwise.h"
#include "core/engine/direct.h"
#include "core/engine/grouped.h"
#include "core/engine/winograd.h"

/* ---- the algorithms ---- */

/* How a pass that begins with a conv, or with none, is computed. */
struct pass_row {
    /* Fills in what the algorithm keeps in a pass, and returns the scratch that a thread needs. */
    size_t (*plan)(const struct section_state *state, struct pass *pass);
    /* Whether the pass can include layers after the conv, other than a clamp, and whether the
     * residual can come after such layers; NULL: neither. */
    bool (*takes_layers)(const struct section_state *state, const struct pass *pass);
    bool adds_later;
    /* False: maps that are not finite remain, for the direct form. */
    bool (*run)(const struct section_state *state, const struct pass *pass);
};

static bool takes_any_layers(const struct section_state *state, const struct pass *pass)
{
    (void)state, (void)pass;
    return true;
}

static const struct pass_row product_pass = {direct_plan, takes_any_layers, true, direct_run};
static const struct pass_row taps_pass = {direct_plan, takes_any_layers, true, direct_run};
static const struct pass_row winograd_pass = {winograd_plan, winograd_takes_layers, false,
                                              winograd_run};
static const struct pass_row depthwise_pass = {depthwise_plan, NULL, false, depthwise_run};
static const struct pass_row grouped_pass = {grouped_plan, NULL, false, grouped_run};

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

/* Whether a conv always begins a pass. One that does not is multiplied by one micro-panel of pixels
 * at a time, so that its weights must stay in a core's second-level cache. */
static bool begins_pass(const struct layer *layer)
{
    enum { WEIGHTS_BYTES = 512 << 10 };
    return layer->kind == LAYER_CONV &&
           (!layer_is_pointwise(layer) ||
            layer->in_channels * layer->out_channels * sizeof(float) > WEIGHTS_BYTES);
}

/* Whether a pass ends before a layer: a conv that begins one, or a layer that the algorithm
 * cannot include. */
static bool ends_before(const struct section_state *state, const struct pass *pass,
                        const struct layer *layer)
{
    const struct pass_row *row = row_of(pass);
    float low, high;
    if (pass->count == 0)
        return false;
    if ((pass->count > 1 || !fused_clamp(layer, &low, &high)) &&
        !(row->takes_layers && row->takes_layers(state, pass)))
        return true;
    return begins_pass(layer);
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
    pass->takes_pairs = layer->bfloat16 && (pass->is_first || begins_pass(layer));
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

static struct pass *last_pass(struct passes *passes)
{
    return &passes->list[passes->count - 1];
}

/* Adds the residual after the layers so far; in a pass of its own, if the algorithm cannot. */
static void add_residual(const struct section_state *state, struct passes *passes)
{
    const struct map *residual = &state->of->values[state->plan->section->residual];
    struct pass *pass = last_pass(passes);
    if (!row_of(pass)->adds_later && (pass->count != 1 || residual->layout == PPM_NHWC)) {
        const size_t channels = pass->ret_channels;
        begin_pass(state, passes, passes->count++);
        pass = last_pass(passes);
        pass->ret_channels = pass->ret.channels = channels;
    }
    pass->residual = residual;
    pass->residual_at = pass->count;
}

static void split(const struct section_state *state, struct passes *passes)
{
    const struct section *section = state->plan->section;
    const bool adds = section->residual != NO_VALUE;
    find_sources(state, passes->sources);
    passes->count = 1;
    begin_pass(state, passes, 0);
    passes->list[0].ret_channels = passes->list[0].ret.channels = section->concat_channels;
    for (size_t i = 0; i < section->layer_count; i++) {
        const struct layer *layer = section->layers[i];
        if (adds && i == section->residual_at)
            add_residual(state, passes);
        if (ends_before(state, last_pass(passes), layer))
            begin_pass(state, passes, passes->count++);
        struct pass *pass = last_pass(passes);
        if (pass->count++ == 0)
            begin_layers(state->plan, i, pass);
        pass->ret_channels = pass->ret.channels = layer->out_channels;
    }
    if (adds && section->residual_at == section->layer_count)
        add_residual(state, passes);
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
    pass->conv_adds =
        has_conv && pass->residual && pass->residual_at == 1 && pass->residual->layout == PPM_NCHW;
    const bool adds_between = pass->residual && !pass->conv_adds && pass->residual_at < 2;
    pass->fused = !has_conv ? 0 : fuses_clamp(pass->layers[0], next) && !adds_between ? 2 : 1;
    pass->is_conv_alone = has_conv && pass->fused == pass->count && pass->ret.layout == PPM_NCHW &&
                          pass->conv_adds == !!pass->residual;
    passes->block_floats = size_max(passes->block_floats, row_of(pass)->plan(state, pass));
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
