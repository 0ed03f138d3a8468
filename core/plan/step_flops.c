/* step_flops.c - see step_flops.h. */
#include "core/plan/step_flops.h"
#include "core/shape/costs.h"
#include "core/shape/folding.h"

static uint64_t branch_flops(const struct section_plan *section, size_t branch)
{
    const struct stack *stack = &section->section->pyramid->branches[branch].stack;
    const uint64_t points = geometry_points(&section->pyramid->g, branch);
    uint64_t flops = 0;
    for (size_t i = 0; i < stack->count; i++)
        flops = size_plus(flops, layer_flops(&stack->layers[i], points));
    return flops;
}

static uint64_t saved_flops(const struct section_plan *section)
{
    const struct layer *conv = section_conv(section->section);
    const struct pyramid *pyramid = section->section->pyramid;
    uint64_t saves = 0;
    for (size_t i = 0; conv && i < pyramid->branch_count; i++)
        saves += folding_saves(pyramid, &section->pyramid->g, i);
    return conv ? size_times(2 * conv->out_channels * conv_taps(conv), saves) : 0;
}

static uint64_t section_flops(const struct section_plan *section)
{
    const struct pyramid *pyramid = section->section->pyramid;
    const uint64_t pixels = (uint64_t)section->out.h * section->out.w;
    uint64_t flops = 0;
    for (size_t i = 0; i < section->section->layer_count; i++)
        flops = size_plus(flops, layer_flops(section->section->layers[i], pixels));
    for (size_t i = 0; pyramid && i < pyramid->branch_count; i++)
        flops = size_plus(flops, branch_flops(section, i));
    return pyramid && flops < SIZE_MAX ? flops - saved_flops(section) : flops;
}

uint64_t step_flops(const struct plan *plan, size_t index, size_t n)
{
    const struct planned_step *planned = &plan->steps[index];
    return planned->step->is_section ? size_times(n, section_flops(&planned->section)) : 0;
}

bool step_is_effective(const struct plan *plan, size_t index)
{
    const struct planned_step *planned = &plan->steps[index];
    const struct section_plan *section = &planned->section;
    if (!planned->step->is_section)
        return false;
    for (size_t i = 0; i < section->section->layer_count; i++)
        if (section->section->layers[i]->kind == LAYER_CONV && section->by[i] == ALGORITHM_WINOGRAD)
            return true;
    return section->pyramid && section->tiles.in_row > 0;
}
