/*
 * direct_products.c - the conv that a pass begins with, over a block of tiles.
 *
 * K is walked in chunks, and each chunk in panels of weights, which the tiles of the block share.
 * Branches that are folded come last, as one more run of products.
 */
#include "core/engine/direct_products.h"
#include "core/engine/fold.h"
#include "core/model/panels.h"
#include "core/plan/plan_columns.h"

enum { RUNS_MAX = 24, PIECES_MAX = 128 };

/* Steps of K packed at a time, and the runs of products over them. A step of pairs is two channels.
 */
struct chunk {
    struct piece pieces[PIECES_MAX];
    size_t offsets[PIECES_MAX];         /* of each piece among the chunk's steps */
    const float *unpacked[PIECES_MAX];  /* its rows, if they can be packed while multiplied, */
    size_t unpacked_stride[PIECES_MAX]; /* and how far apart they are */
    size_t piece_count, steps;
    bool is_first, is_last;
};

/* Walks the steps of a conv: part, tap, channel. */
struct cursor {
    size_t part, tap, first;
};

/* Moves past parts that are folded: add_folded takes their products. */
static void skip_folded(const struct direct_block *block, struct cursor *cursor)
{
    const struct pass *pass = block->source.pass;
    while (cursor->part < pass->source_count) {
        const struct source *source = &pass->sources[cursor->part];
        if (source->kind != PART_BRANCH ||
            !state_folds(block->source.state, block->source.n, source->branch))
            return;
        *cursor = (struct cursor){.part = cursor->part + 1};
    }
}

/* Those of a tap are packed next to each other, and make one run with those of the tap before. */
static size_t pieces_of_chunk(const struct layer *conv)
{
    enum { TAPS_OF_RUNS = 9 };
    return conv_taps(conv) > TAPS_OF_RUNS ? PIECES_MAX : RUNS_MAX - 1;
}

static void next_chunk(const struct direct_block *block, struct cursor *cursor, struct chunk *chunk)
{
    const struct layer *conv = pass_conv(block->source.pass);
    const size_t taps = conv_taps(conv), pieces = pieces_of_chunk(conv);
    chunk->is_first = cursor->part == 0 && cursor->tap == 0 && !cursor->first;
    chunk->piece_count = chunk->steps = 0;
    skip_folded(block, cursor);
    while (cursor->part < conv->part_count && chunk->piece_count < pieces &&
           chunk->steps < CHUNK_STEPS_MAX) {
        const size_t left = conv->parts[cursor->part].channels - cursor->first;
        const size_t steps = CHUNK_STEPS_MAX - chunk->steps;
        const size_t room = block->source.pass->takes_pairs ? 2 * steps : steps;
        const size_t count = size_min(left, room);
        chunk->offsets[chunk->piece_count] = chunk->steps;
        chunk->pieces[chunk->piece_count++] =
            (struct piece){cursor->part, cursor->tap, cursor->first, count};
        chunk->steps += pass_steps_of(block->source.pass, count);
        cursor->first += count;
        if (count < left)
            break;
        cursor->first = 0;
        if (++cursor->tap == taps)
            *cursor = (struct cursor){.part = cursor->part + 1};
        skip_folded(block, cursor);
    }
    chunk->is_last = cursor->part == conv->part_count;
}

/* The products of one panel with a tile, and how far b moves from tile to tile. */
struct products {
    struct simd_gemm_run runs[RUNS_MAX];
    size_t b_step[RUNS_MAX];
    size_t count;
};

/* The last panels of a block prefetch the rows that this thread will probably pack next. They fetch
 * one line of a row every few steps, since more at a time would crowd out what the products wait
 * for; earlier, the weights that stream through the cache would evict the rows again. */
static void fetch_next_block(const struct direct_block *block, const struct piece *piece,
                             const float *unpacked, size_t stride, size_t panel,
                             struct simd_gemm_run *run)
{
    enum { LINE_FLOATS = 16, EVERY_MAX = 16 };
    const struct section_state *state = block->source.state;
    const struct tiles *tiles = &block->source.pass->tiles;
    const size_t lines = size_div_up(state->simd->gemm_columns, LINE_FLOATS);
    const size_t others = block->end_panel - block->first_panel - 1;
    const size_t even = size_min(others / lines, EVERY_MAX);
    const size_t turns = size_max(even, 1); /* until each row had one */
    if (panel + turns * lines < block->end_panel)
        return;
    const size_t turn = panel + turns * lines - block->end_panel;
    const size_t rows = size_div_up(piece->count, turns);
    const size_t every = pass_steps_of(block->source.pass, turns);
    const size_t next = block->source.first + block->source.count;
    run->next_b = unpacked - tiles_at(tiles, block->source.first).first +
                  tiles_at(tiles, next).first + turn / lines * rows * stride +
                  turn % lines * LINE_FLOATS;
    run->next_b_stride = stride;
    run->next_b_every = every;
}

/* Adds what panel multiplies a piece by. The first panel packs what it reads. */
static void add_piece(const struct direct_block *block, const struct chunk *chunk, size_t i,
                      size_t panel, struct products *products)
{
    const struct layer *conv = pass_conv(block->source.pass);
    const struct piece *piece = &chunk->pieces[i];
    const size_t width = conv->simd->gemm_columns, count = products->count;
    const size_t steps = pass_steps_of(block->source.pass, piece->count);
    const bool are_pairs = block->source.pass->takes_pairs;
    float *packed = block->packed + chunk->offsets[i] * width;
    struct simd_gemm_run run = {
        .a = conv_panel_at(conv, panel, piece->part, piece->tap, piece->first),
        .b = packed,
        .k = are_pairs ? 2 * steps : steps, /* including the zeros of an odd count */
        .words = are_pairs ? SIMD_BFLOAT16 : conv_float32_words(conv),
        .next_a = conv_panel_at(conv, panel + 1, piece->part, piece->tap, piece->first)};
    if (chunk->unpacked[i] && panel == block->first_panel) {
        run.ret_packed = packed;
        run.k = piece->count;
        run.b = chunk->unpacked[i];
        run.b_stride = chunk->unpacked_stride[i];
    } else if (chunk->unpacked[i]) {
        fetch_next_block(block, piece, chunk->unpacked[i], chunk->unpacked_stride[i], panel, &run);
    }
    struct simd_gemm_run *before = count > 0 ? &products->runs[count - 1] : NULL;
    if (before && !before->ret_packed && !run.ret_packed && run.next_b_every == 0 &&
        before->next_b_every == 0 &&
        before->a + conv_words(conv, before->k) * conv_panel_rows(conv, panel) == run.a) {
        before->k += run.k;
        return;
    }
    products->b_step[count] = chunk->steps * width;
    products->runs[products->count++] = run;
}

static bool takes_folded(const struct direct_block *block)
{
    return block->source.pass->is_first && section_folds(block->source.state->plan) &&
           state_is_finite(block->source.state, block->source.n);
}

/* Adds the folded branches: W_i b_i times U. */
static void add_folded(const struct direct_block *block, size_t panel, struct products *products)
{
    const struct pyramid_plan *plan = block->source.state->pyramid;
    const size_t rows = conv_panel_rows(pass_conv(block->source.pass), panel);
    const float *folded = folded_panel(block->source.state, block->source.n, panel);
    products->b_step[products->count] = plan->folded_steps * plan->simd->gemm_columns;
    products->runs[products->count++] =
        (struct simd_gemm_run){.a = folded,
                               .b = block->columns,
                               .k = plan->folded_steps,
                               .next_a = folded + rows * plan->folded_steps};
}

/* Row-wise, folded columns are blended for a row, and U is the same for all rows. */
static void take_row(const struct direct_block *block, size_t panel, size_t tile,
                     struct simd_gemm_run *folded)
{
    const struct pyramid_plan *plan = block->source.state->pyramid;
    const size_t tiles_in_row = block->source.pass->tiles.in_row, in_row = tile % tiles_in_row;
    if (in_row == 0 || tile == block->source.first)
        blend_row(block->source.state, block->source.n, panel, tile / tiles_in_row, block->blended);
    folded->a = folded->next_a = block->blended;
    folded->b = plan->along_columns + in_row * plan->folded_steps * plan->simd->gemm_columns;
}

/* Moves on to the next tile, `pixels` further. */
static void advance(const struct direct_block *block, const struct chunk *chunk, size_t pixels,
                    struct products *products)
{
    const size_t width = block->source.state->simd->gemm_columns;
    for (size_t i = 0; i < products->count; i++) {
        struct simd_gemm_run *run = &products->runs[i];
        run->b += run->ret_packed ? pixels : products->b_step[i];
        run->next_b += run->next_b_every > 0 ? pixels : 0;
        if (run->ret_packed)
            run->ret_packed += chunk->steps * width;
    }
}

/* One panel of weights times the tiles of a block. */
static void multiply(const struct direct_block *block, const struct chunk *chunk, size_t panel,
                     struct products *products)
{
    const struct pass *pass = block->source.pass;
    const struct layer *conv = pass_conv(block->source.pass);
    const size_t row = panel * conv->simd->gemm_rows;
    const bool has_folded = chunk->is_last && takes_folded(block);
    struct simd_gemm_tile tile = {.runs = products->runs,
                                  .c = block->c + row * block->c_stride,
                                  .c_stride = block->c_stride,
                                  .rows = conv_panel_rows(conv, panel),
                                  .accumulates = !chunk->is_first};
    products->count = 0;
    for (size_t i = 0; i < chunk->piece_count; i++)
        add_piece(block, chunk, i, panel, products);
    if (has_folded)
        add_folded(block, panel, products);
    tile.run_count = products->count;
    if (chunk->is_last) {
        tile.scale = conv->scale32 + row;
        tile.shift = conv->shift32 + row;
        fused_clamp(pass_clamp(pass), &tile.low, &tile.high);
    }
    if (chunk->is_last && pass->conv_adds) {
        tile.residual = map_at(pass->residual, block->source.n, row) +
                        tiles_at(&pass->tiles, block->source.first).first;
        tile.residual_stride = map_channel_stride(pass->residual);
    }
    for (size_t i = block->source.first; i < block->source.first + block->source.count; i++) {
        const struct tile_pixels here = tiles_at(&pass->tiles, i),
                                 next = tiles_at(&pass->tiles, i + 1);
        tile.columns = here.columns;
        if (has_folded && pass->tiles.in_row > 0)
            take_row(block, panel, i, &products->runs[products->count - 1]);
        conv_multiply(conv, &tile);
        tile.c += block->c_tile_stride > 0 ? block->c_tile_stride : next.first - here.first;
        tile.residual += tile.residual ? next.first - here.first : 0;
        advance(block, chunk, next.first - here.first, products);
    }
}

/* U for the block's tiles, shared by all panels. */
static void interpolate(const struct direct_block *block)
{
    const struct section_plan *plan = block->source.state->plan;
    if (!takes_folded(block) || plan->tiles.in_row > 0 || block->source.state->columns)
        return;
    const size_t tile_floats = plan->pyramid->folded_steps * plan->simd->gemm_columns;
    for (size_t i = 0; i < block->source.count; i++)
        plan_columns(plan, block->source.first + i, block->columns + i * tile_floats);
}

void direct_multiply(const struct direct_block *block)
{
    const struct simd_ops *simd = block->source.state->simd;
    const size_t width = simd->gemm_columns, rows = simd->gemm_rows;
    const bool are_pairs = block->source.pass->takes_pairs;
    struct cursor cursor = {0};
    struct chunk chunk;
    struct products products;
    size_t done = 0;
    interpolate(block);
    do {
        next_chunk(block, &cursor, &chunk);
        /* Results as well: of few steps, it is they that take time, if their memory is new. */
        const size_t values = (chunk.steps + rows) * block->source.count * width;
        for (size_t i = 0; i < chunk.piece_count; i++) {
            chunk.unpacked[i] =
                gather_in_place(&block->source, &chunk.pieces[i], &chunk.unpacked_stride[i]);
            if (!chunk.unpacked[i])
                (are_pairs ? gather_pairs : gather)(&block->source, &chunk.pieces[i],
                                                    block->packed + chunk.offsets[i] * width,
                                                    chunk.steps * width);
        }
        for (size_t panel = block->first_panel;
             panel < block->end_panel && run_goes_on(block->source.state->run, &done, values);
             panel++)
            multiply(block, &chunk, panel, &products);
    } while (!chunk.is_last && run_goes_on(block->source.state->run, &done, 0));
}
