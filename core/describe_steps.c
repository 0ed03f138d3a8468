/* describe_steps.c - the steps of a run, a line each: what is computed together. */
#include "core/describe_layers.h"
#include "core/layer_text.h"
#include "core/plan/choice.h"
#include "core/plan/step_flops.h"

/* The node whose layer it is. */
static const struct node *node_of(const struct graph *graph, const struct layer *layer)
{
    size_t i = graph->count - 1;
    while (i > 0 && &graph->nodes[i].layer != layer)
        i--;
    return &graph->nodes[i];
}

static void add_layer(const struct section_plan *section, size_t i, struct text *text)
{
    const struct layer *layer = section->section->layers[i];
    if (i > 0)
        text_add(text, " + ");
    layer_text(layer, text);
    if (layer->kind == LAYER_CONV) {
        const char *note = choice_of(section->by[i])->note;
        text_add(text, ", %s", note ? note : algorithm_name(section->by[i]));
    }
}

static void describe_section(const struct graph *graph, const struct section_plan *section,
                             struct text *where, struct text *what)
{
    const struct section *of = section->section;
    const struct node *pyramid = of->pyramid ? &graph->nodes[of->pyramid_node] : NULL;
    describe_where(of->layer_count > 0 ? node_of(graph, of->layers[0]) : pyramid, where);
    if (pyramid) {
        layer_text(&pyramid->layer, what);
        text_add(what, of->layer_count > 0 ? " + " : "");
    }
    for (size_t i = 0; i < of->layer_count; i++) {
        if (of->residual != NO_VALUE && of->residual_at == i)
            text_add(what, " + add");
        add_layer(section, i, what);
    }
    if (of->residual != NO_VALUE && of->residual_at == of->layer_count)
        text_add(what, " + add");
}

static void describe_own(const struct graph *graph, const struct step *step, struct text *where,
                         struct text *what)
{
    const struct node *node = &graph->nodes[step->node];
    describe_where(node, where);
    layer_text(&node->layer, what);
    if (step->after != NO_VALUE)
        text_add(what, " + %s", layer_name(&graph->nodes[step->after].layer));
}

static void describe_step(const struct plan *plan, size_t i, size_t n,
                          struct ppm_step_info *ret_step)
{
    const struct graph *graph = &plan->spec->graph;
    const struct planned_step *planned = &plan->steps[i];
    *ret_step = (struct ppm_step_info){.flops = step_flops(plan, i, n),
                                       .is_effective = step_is_effective(plan, i)};
    struct text where = {ret_step->where, sizeof ret_step->where, 0};
    struct text what = {ret_step->what, sizeof ret_step->what, 0};
    if (planned->step->is_section)
        describe_section(graph, &planned->section, &where, &what);
    else
        describe_own(graph, planned->step, &where, &what);
}

/* It is timed with the turning of y into its layout. */
static void describe_output(const struct plan *plan, struct ppm_step_info *ret_step)
{
    static const char *const names[] = {
#define NAME(constant, name) [AS_##constant] = #name,
        OUTPUTS(NAME)
#undef NAME
    };
    *ret_step = (struct ppm_step_info){0};
    struct text where = {ret_step->where, sizeof ret_step->where, 0};
    struct text what = {ret_step->what, sizeof ret_step->what, 0};
    text_add(&where, "output");
    text_add(&what, "%s", names[plan->g.as]);
    if (plan->g.needs_resize)
        text_add(&what, ", stretched to %zux%zu", plan->g.output.h, plan->g.output.w);
}

enum ppm_status ppm_model_steps(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                struct ppm_step_info *ret_steps, struct ppm_error *error)
{
    struct geometry g;
    struct ppm_plan *plan = NULL;
    if (geometry_of(&model->spec, sizes, &g, error) != PPM_OK ||
        !(plan = plan_outline(model, &g, error)))
        return error->status;
    for (size_t i = 0; i < model->program.count; i++)
        describe_step(&plan->plan, i, g.input.n, &ret_steps[i]);
    describe_output(&plan->plan, &ret_steps[model->program.count]);
    ppm_plan_free(plan);
    return PPM_OK;
}
