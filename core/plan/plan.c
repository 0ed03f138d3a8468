/* plan.c - see plan.h. */
#include "core/plan/plan.h"
#include "core/shape/costs.h"
#include "core/shape/resize_axis.h"
#include "core/shape/shapes.h"

#include <assert.h>
#include <stdlib.h>

/* ---- arrays ---- */

static size_t pyramid_count(const struct program *program)
{
    size_t count = 0;
    for (size_t i = 0; i < program->count; i++)
        count += program->steps[i].section.pyramid != NULL;
    return count;
}

static struct ppm_plan *take_plan(const struct ppm_model *model, struct room *room)
{
    const size_t nodes = model->spec.graph.count;
    struct plan plan = {.model_id = model->id,
                        .spec = &model->spec,
                        .program = &model->program,
                        .simd = model->simd};
    struct ppm_plan *ret = room_take(room, 1, sizeof *ret);
    plan.shapes = room_take(room, nodes, sizeof *plan.shapes);
    plan.sizes = room_take(room, nodes, sizeof *plan.sizes);
    plan.steps = room_take(room, model->program.count, sizeof *plan.steps);
    plan.pyramids = room_take(room, pyramid_count(&model->program), sizeof *plan.pyramids);
    places_take(&plan.places, nodes, room);
    struct map *maps = room_take(room, nodes, sizeof *maps);
    if (ret)
        *ret = (struct ppm_plan){.plan = plan, .maps = maps};
    return ret;
}

/* ---- steps ---- */

static enum ppm_status begin_section(struct plan *plan, const struct step *step,
                                     struct pyramid_plan *pyramid, struct section_plan *ret,
                                     struct ppm_error *error)
{
    const struct section *section = &step->section;
    struct geometry geometry;
    struct section_sizes sizes = {
        .in = plan->sizes[step->node], .out = plan->sizes[step->value], .values = plan->sizes};
    if (section->pyramid) {
        const struct ppm_shape x = plan->shapes[section->pyramid_value];
        if (geometry_of_pyramid(section->pyramid, x, &geometry, error) != PPM_OK)
            return error->status;
        sizes.pyramid = &geometry;
    }
    section_plan_begin(ret, section->pyramid ? pyramid : NULL, section, &sizes, plan->simd,
                       plan->spec->is_exact);
    return PPM_OK;
}

static enum ppm_status begin_steps(struct plan *plan, struct ppm_error *error)
{
    struct pyramid_plan *pyramid = plan->pyramids;
    for (size_t i = 0; i < plan->program->count; i++) {
        const struct step *step = &plan->program->steps[i];
        const struct node *node = &plan->spec->graph.nodes[step->node];
        struct planned_step *planned = &plan->steps[i];
        *planned = (struct planned_step){.step = step};
        if (!step->is_section)
            step_plan_begin(&planned->own, &node->layer, plan->shapes[node->reads[0]],
                            plan->shapes[step->value]);
        else if (begin_section(plan, step, pyramid, &planned->section, error) != PPM_OK)
            return error->status;
        pyramid += step->is_section && step->section.pyramid;
    }
    return PPM_OK;
}

static double values_of(struct ppm_shape shape)
{
    return (double)shape.c * (double)shape.h * (double)shape.w;
}

double plan_values(const struct plan *plan)
{
    double values = values_of(plan->g.output);
    for (size_t i = 0; i < plan->program->count; i++) {
        const struct step *step = &plan->program->steps[i];
        values += values_of(plan->shapes[step->value]);
        for (size_t k = 0; k < step->read_count; k++)
            values += values_of(plan->shapes[step->reads[k]]);
    }
    return values;
}

static double network_us(const struct plan *plan)
{
    return costs_us(costs_graph_flops(&plan->spec->graph, plan->shapes), plan_values(plan));
}

/* All but the tables. */
static enum ppm_status begin(struct plan *plan, const struct geometry *geometry,
                             struct ppm_error *error)
{
    const struct graph *graph = &plan->spec->graph;
    struct ppm_sizes sizes = geometry->sizes;
    for (size_t i = 0; i < sizes.count; i++)
        sizes.inputs[i].n = 1;
    plan->g = *geometry;
    plan->g.input.n = plan->g.output.n = 1;
    plan->has_output = geometry_has_output(geometry);
    if (shapes_of(graph, &sizes, plan->shapes, error) != PPM_OK)
        return error->status;
    for (size_t i = 0; i < graph->count; i++)
        plan->sizes[i] = (struct map_size){plan->shapes[i].h, plan->shapes[i].w};
    plan->map_us = plan->spec->is_network ? network_us(plan) : costs_map_us(plan->spec, &plan->g);
    places_find(&plan->places, graph, plan->program, plan->shapes, plan->has_output);
    return begin_steps(plan, error);
}

/* ---- tables ---- */

static void place_tables(struct plan *plan, struct room *room)
{
    for (size_t i = 0; i < plan->program->count; i++)
        if (plan->steps[i].step->is_section)
            section_plan_place(&plan->steps[i].section, room);
        else
            step_plan_place(&plan->steps[i].own, room);
    if (!plan->g.needs_resize)
        return;
    plan->output_low = room_take(room, plan->g.output.w, sizeof *plan->output_low);
    plan->output_weight = room_take(room, plan->g.output.w, sizeof *plan->output_weight);
}

static void fill_output(struct plan *plan, const struct run *run)
{
    const struct resize_axis axis = resize_axis_of_output(plan->spec, &plan->g, AXIS_W);
    assert(plan->output_low && plan->output_weight);
    size_t done = 0;
    for (size_t i = 0; i < axis.out && run_goes_on(run, &done, 1); i++) {
        const struct resize_tap tap = resize_axis_tap(&axis, i);
        plan->output_low[i] = (uint32_t)tap.low;
        plan->output_weight[i] = (float)tap.weight;
    }
}

static void fill_tables(struct plan *plan, const struct run *run)
{
    for (size_t i = 0; i < plan->program->count; i++)
        if (plan->steps[i].step->is_section)
            section_plan_fill(&plan->steps[i].section, run);
        else
            step_plan_fill(&plan->steps[i].own, run);
    if (plan->g.needs_resize)
        fill_output(plan, run);
}

/* ---- the whole ---- */

struct ppm_plan *plan_outline(const struct ppm_model *model, const struct geometry *geometry,
                              struct ppm_error *error)
{
    struct room counted = {0}, room = {0}, tables = {0};
    take_plan(model, &counted);
    if (!(room.base = core_allocate(counted.bytes, error)))
        return NULL;
    struct ppm_plan *ret = take_plan(model, &room);
    if (begin(&ret->plan, geometry, error) != PPM_OK) {
        ppm_plan_free(ret);
        return NULL;
    }
    place_tables(&ret->plan, &tables);
    ret->tables_bytes = tables.bytes;
    if (model->spec.is_network) /* that geometry_of takes for a moment */
        room_take(&counted, model->spec.graph.count, sizeof *ret->plan.shapes);
    ret->bytes = size_plus(counted.bytes, tables.bytes);
    return ret;
}

struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error)
{
    struct ppm_plan *ret = plan_outline(model, geometry, error);
    struct room tables = {0};
    if (!ret)
        return NULL;
    if (ret->tables_bytes > 0 && !(tables.base = core_allocate(ret->tables_bytes, error)))
        goto failed;
    ret->tables = tables.base;
    place_tables(&ret->plan, &tables);
    fill_tables(&ret->plan, run);
    if (!run_is_cancelled(run))
        return ret;
    ppm_fail(error, PPM_CANCELLED, "the computation was abandoned");
failed:
    ppm_plan_free(ret);
    return NULL;
}

const struct pyramid_plan *plan_first_pyramid(const struct plan *plan)
{
    for (size_t i = 0; i < plan->program->count; i++) {
        const struct section *section = &plan->steps[i].step->section;
        if (section->pyramid)
            return section->pyramid_value < plan->spec->graph.input_count ? plan->pyramids : NULL;
    }
    return NULL;
}

bool plan_needs_nchw(const struct plan *plan, size_t value)
{
    for (size_t i = 0; i < plan->program->count; i++) {
        const struct step *step = plan->steps[i].step;
        if (step->is_section && step->section.residual == (int)value)
            return true;
        for (size_t k = 0; !step->is_section && k < step->read_count; k++)
            if (step->reads[k] == value)
                return true;
    }
    return false;
}

bool ppm_plan_fits(const struct ppm_plan *plan, const struct ppm_model *model,
                   const struct ppm_sizes *sizes)
{
    const struct ppm_sizes *own = &plan->plan.g.sizes;
    bool fits = plan->plan.model_id == model->id && own->output_h == sizes->output_h &&
                own->output_w == sizes->output_w && own->image_h == sizes->image_h &&
                own->image_w == sizes->image_w && own->is_soft == sizes->is_soft;
    for (size_t i = 0; fits && i < own->count; i++)
        fits = own->inputs[i].h == sizes->inputs[i].h && own->inputs[i].w == sizes->inputs[i].w;
    return fits;
}

bool plan_geometry(const struct ppm_plan *plan, const struct ppm_model *model,
                   const struct ppm_sizes *sizes, struct geometry *ret_geometry)
{
    const size_t n = sizes->inputs[0].n;
    struct geometry geometry = plan->plan.g;
    struct ppm_error uncountable = {0};
    size_t bytes;
    if (!ppm_plan_fits(plan, model, sizes))
        return false;
    for (size_t i = 0; i < sizes->count; i++)
        if (sizes->inputs[i].n != n || sizes->inputs[i].c != plan->plan.shapes[i].c)
            return false;
    geometry.sizes = *sizes;
    geometry.input.n = geometry.output.n = n;
    if (ppm_shape_bytes(geometry.output, &bytes, &uncountable) != PPM_OK)
        return false;
    *ret_geometry = geometry;
    return true;
}

void ppm_plan_free(struct ppm_plan *plan)
{
    if (plan)
        free(plan->tables);
    free(plan);
}
