/* grouped.c - a conv in groups: for each of them, the products of a conv of its own. */
#include "core/engine/grouped.h"
#include "core/base/team.h"
#include "core/engine/direct.h"
#include "core/model/panels.h"

/* A pass over the channels of one group; it holds pointers to itself. */
struct group {
    struct layer conv;
    const struct layer *layers[2];
    struct source source;
    struct map residual;
    struct pass pass;
};

/* The map from a channel on. */
static struct map map_from(const struct map *map, size_t channel)
{
    struct map ret = *map;
    if (ret.data)
        ret.data = map_at(map, 0, channel);
    return ret;
}

static void group_of(const struct pass *pass, size_t index, struct group *ret)
{
    const struct layer *conv = pass->layers[0];
    ret->conv = conv_group(conv, index);
    ret->layers[0] = &ret->conv;
    ret->layers[1] = pass_clamp(pass);
    ret->source = pass->sources[0];
    ret->source.from += index * ret->conv.in_channels;
    ret->source.channels = ret->conv.in_channels;
    ret->pass = *pass;
    ret->pass.layers = ret->layers;
    ret->pass.sources = &ret->source;
    ret->pass.channels = ret->conv.in_channels;
    ret->pass.ret = map_from(&pass->ret, index * ret->conv.out_channels);
    ret->pass.ret_channels = ret->conv.out_channels;
    if (pass->residual) {
        ret->residual = map_from(pass->residual, index * ret->conv.out_channels);
        ret->pass.residual = &ret->residual;
    }
}

size_t grouped_plan(const struct section_state *state, struct pass *pass)
{
    struct group group;
    group_of(pass, 0, &group);
    const size_t floats = direct_plan(state, &group.pass);
    pass->block_tiles = group.pass.block_tiles;
    pass->panel_groups = 1;
    return floats;
}

bool grouped_run(const struct section_state *state, const struct pass *pass)
{
    const size_t tiles = pass->tiles.count, together = pass->block_tiles;
    const size_t groups = pass->layers[0]->groups;
    float *scratch = state->blocks + (size_t)omp_get_thread_num() * state->block_floats;
    const size_t blocks = size_div_up(tiles, together);
    struct team_loop loop = team_begin(state->of->shares, state->n * blocks * groups);
    for (size_t task; team_next(&loop, &task);) {
        struct group group;
        if (run_is_cancelled(state->run))
            continue;
        const size_t first = task / groups % blocks * together;
        group_of(pass, task % groups, &group);
        const struct block block = {.state = state,
                                    .pass = &group.pass,
                                    .n = task / groups / blocks,
                                    .first = first,
                                    .count = size_min(tiles - first, together)};
        direct_block(&block, 0, scratch);
    }
    team_end(&loop);
    return true;
}
