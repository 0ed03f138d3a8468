/*
 * test_program.c - how graphs are lowered to steps: what is computed together, and what must not
 * be.
 *
 * A program as text, step by step: the value that it makes, its layers with the residual at its
 * place, and in brackets what it reads. "4=conv,relu(0)"; "~2" is a stretched value, "b1" a branch
 * of the pyramid, "2[3:5]" some channels of a value. A step that is no section ends with "!".
 */
#include "core/model/program.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEST_NODES = 200, TEST_READS = 8 };

static struct node nodes[TEST_NODES];
static size_t reads[TEST_NODES][TEST_READS];
static struct graph graph;
static struct branch branches[2];
static struct pyramid pyramid;
static char text[4000];

/* ---- graphs ---- */

/* Appends a node; returns its index. */
static size_t add(enum layer_kind kind, size_t channels, size_t count, ...)
{
    const size_t i = graph.count++;
    struct node *node = &nodes[i];
    va_list list;
    *node = (struct node){.layer = {.kind = kind, .out_channels = channels, .groups = 1},
                          .reads = reads[i],
                          .read_count = count};
    va_start(list, count);
    for (size_t k = 0; k < count; k++)
        reads[i][k] = va_arg(list, size_t);
    va_end(list);
    if (count > 0)
        node->layer.in_channels = nodes[reads[i][0]].layer.out_channels;
    graph.output = i;
    return i;
}

static void begin_graph(void)
{
    graph = (struct graph){.nodes = nodes, .input_count = 1};
    add(LAYER_INPUT, 4, 0);
}

static size_t window(enum layer_kind kind, size_t channels, size_t read, size_t kernel,
                     size_t stride)
{
    const size_t i = add(kind, channels, 1, read), border = kernel / 2;
    nodes[i].layer.window = (struct window){.size = {kernel, kernel},
                                            .stride = {stride, stride},
                                            .dilation = {1, 1},
                                            .before = {border, border},
                                            .after = {border, border}};
    return i;
}

static size_t conv(size_t channels, size_t read, size_t kernel)
{
    return window(LAYER_CONV, channels, read, kernel, 1);
}

static size_t norm(size_t read)
{
    return add(LAYER_BATCH_NORM, nodes[read].layer.out_channels, 1, read);
}

static size_t relu(size_t read)
{
    const size_t i = add(LAYER_ACTIVATION, nodes[read].layer.out_channels, 1, read);
    nodes[i].layer.activation = SIMD_RELU;
    return i;
}

static size_t sum(size_t a, size_t b)
{
    return add(LAYER_ADD, nodes[a].layer.out_channels, 2, a, b);
}

static size_t concat(size_t a, size_t b)
{
    return add(LAYER_CONCAT, nodes[a].layer.out_channels + nodes[b].layer.out_channels, 2, a, b);
}

static size_t resize(size_t read, size_t like)
{
    const size_t i = add(LAYER_RESIZE, nodes[read].layer.out_channels, 1, read);
    nodes[i].layer.target = RESIZE_LIKE;
    nodes[i].layer.like = like;
    return i;
}

static size_t slice(size_t read, size_t first, size_t end)
{
    const size_t i = add(LAYER_SLICE, end - first, 1, read);
    nodes[i].layer.first_channel = first;
    return i;
}

/* Bins 1 and 2 with a channel each, before the input. */
static size_t pool_pyramid(size_t read)
{
    const size_t channels = nodes[read].layer.out_channels;
    pyramid = (struct pyramid){
        .channels = channels,
        .branches = branches,
        .branch_count = 2,
        .parts = {{.source = PART_BRANCH, .channels = 1},
                  {.source = PART_BRANCH, .branch = 1, .first = 1, .channels = 1},
                  {.source = PART_MAP, .first = 2, .channels = channels}},
        .part_count = 3,
        .concat_channels = channels + 2,
    };
    const size_t i = add(LAYER_PYRAMID, channels + 2, 1, read);
    nodes[i].layer.pyramid = &pyramid;
    return i;
}

static void count_readers(void)
{
    for (size_t i = 0; i < graph.count; i++)
        nodes[i].reader_count = i == graph.output;
    for (size_t i = 0; i < graph.count; i++)
        for (size_t k = 0; k < nodes[i].read_count; k++)
            nodes[reads[i][k]].reader_count++;
}

static void lower(struct program *ret_program)
{
    struct ppm_error error = {0};
    count_readers();
    cr_assert_eq(program_of(&graph, ret_program, &error), PPM_OK, "%s", error.text);
}

/* ---- programs as text ---- */

static void write(const char *format, ...)
{
    const size_t at = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + at, sizeof text - at, format, list);
    va_end(list);
}

static void write_part(const struct part *part)
{
    if (part->source == PART_BRANCH) {
        write("b%zu", part->branch);
        return;
    }
    write(part->source == PART_STRETCHED ? "~%zu" : "%zu", part->value);
    if (part->from > 0 || part->channels < nodes[part->value].layer.out_channels)
        write("[%zu:%zu]", part->from, part->from + part->channels);
}

static void write_section(const struct section *section)
{
    size_t channels = 0;
    for (size_t i = 0; i <= section->layer_count; i++) {
        if (section->residual != NO_VALUE && section->residual_at == i)
            write("+%d", section->residual);
        if (i < section->layer_count)
            write("%s%s", i ? "," : "", layer_name(section->layers[i]));
    }
    write("(");
    for (size_t i = 0; i < section->part_count; i++) {
        write(i ? " " : "");
        write_part(&section->parts[i]);
        cr_assert_eq(section->parts[i].first, channels);
        channels += section->parts[i].channels;
    }
    write(")");
    cr_assert_eq(channels, section->concat_channels);
}

static void write_step(const struct step *step)
{
    write("%zu=", step->value);
    if (step->is_section) {
        write_section(&step->section);
        return;
    }
    write("%s", layer_name(&nodes[step->node].layer));
    if (step->after != NO_VALUE)
        write(",%s", layer_name(&nodes[step->after].layer));
    write("(");
    for (size_t i = 0; i < nodes[step->node].read_count; i++)
        write(i ? " %zu" : "%zu", nodes[step->node].reads[i]);
    write(")!");
}

/* Each value is made once, before it is read, and each step lists what it reads. */
static void check_order(const struct program *program)
{
    bool is_made[TEST_NODES] = {false};
    for (size_t i = 0; i < graph.count; i++)
        is_made[i] = nodes[i].layer.kind == LAYER_INPUT;
    for (size_t k = 0; k < program->count; k++) {
        const struct step *step = &program->steps[k];
        for (size_t i = 0; i < step->read_count; i++) {
            cr_assert(is_made[step->reads[i]], "step %zu reads %zu", k, step->reads[i]);
            cr_assert(program->is_stored[step->reads[i]]);
        }
        cr_assert_not(is_made[step->value]);
        is_made[step->value] = true;
        cr_assert(program->is_stored[step->value]);
    }
    cr_assert(is_made[graph.output]);
}

static void expect(const char *expected)
{
    struct program program;
    lower(&program);
    text[0] = '\0';
    for (size_t k = 0; k < program.count; k++) {
        write(k ? " " : "");
        write_step(&program.steps[k]);
    }
    cr_expect_str_eq(text, expected, "found    %s\nexpected %s", text, expected);
    check_order(&program);
    program_release(&program);
    begin_graph();
}

/* ---- stacks ---- */

Test(program, a_stack_is_one_section)
{
    begin_graph();
    relu(conv(8, relu(norm(conv(8, 0, 3))), 1));
    expect("5=conv,relu,conv,relu(0)");
    add(LAYER_SOFTMAX, 8, 1, add(LAYER_PRELU, 8, 1, conv(8, 0, 1)));
    expect("3=conv,prelu,softmax(0)");
}

Test(program, a_conv_that_sees_neighbors_begins_a_section)
{
    begin_graph();
    conv(8, relu(conv(8, 0, 1)), 3);
    expect("2=conv,relu(0) 3=conv(2)");
    window(LAYER_CONV, 8, conv(8, 0, 1), 1, 2);
    expect("1=conv(0) 2=conv(1)");
    nodes[conv(8, conv(8, 0, 1), 1)].layer.groups = 2;
    expect("1=conv(0) 2=conv(1)");
    nodes[conv(8, conv(8, 0, 1), 1)].layer.window.after[1] = 1;
    expect("1=conv(0) 2=conv(1)");
}

Test(program, what_two_read_is_stored)
{
    begin_graph();
    const size_t read = conv(8, 0, 1);
    const size_t clamped = relu(read);
    concat(clamped, conv(8, read, 1));
    expect("1=conv(0) 2=relu(1)! 3=conv(1) 4=concat(2 3)!");
    const size_t output = conv(8, 0, 1);
    relu(output); /* unused */
    graph.output = output;
    expect("1=conv(0)");
}

Test(program, a_section_has_a_bound)
{
    begin_graph();
    size_t last = 0;
    for (size_t i = 0; i < LAYERS_MAX + 1; i++)
        last = conv(4, last, 1);
    struct program program;
    lower(&program);
    cr_expect_eq(program.count, 2);
    cr_expect_eq(program.steps[0].section.layer_count, LAYERS_MAX);
    program_release(&program);
}

Test(program, what_nothing_needs_is_left_out)
{
    begin_graph();
    conv(8, conv(8, 0, 3), 3);
    conv(8, 0, 1);
    expect("3=conv(0)");
}

/* ---- norms ---- */

Test(program, norms_are_folded)
{
    struct program program;
    begin_graph();
    const size_t first = conv(8, 0, 3), last = norm(norm(first));
    lower(&program);
    cr_expect_eq(program.folded_into[last], (int)first);
    cr_expect_eq(program.folded_into[last - 1], (int)first);
    cr_expect_eq(program.folded_into[first], NO_VALUE);
    program_release(&program);
    expect("3=conv(0)");
    norm(add(LAYER_AFFINE, 4, 1, norm(0)));
    expect("1=batch_norm(0)! 3=affine(1)!");
}

Test(program, norms_that_are_not_folded)
{
    begin_graph();
    norm(relu(conv(8, 0, 3)));
    expect("3=conv,relu,batch_norm(0)");
    const size_t read = conv(8, 0, 3);
    sum(norm(read), read);
    expect("1=conv(0) 2=batch_norm(1)! 3=add(2 1)!");
}

/* ---- residuals ---- */

Test(program, an_add_is_the_residual_of_the_later_section)
{
    begin_graph();
    const size_t stem = relu(conv(8, 0, 3));
    const size_t block = norm(conv(8, relu(conv(8, stem, 3)), 1));
    conv(8, relu(sum(block, stem)), 1);
    expect("2=conv,relu(0) 8=conv,relu,conv+2,relu(2) 9=conv(8)");
    const size_t left = conv(8, 0, 1), right = conv(8, 0, 1);
    sum(left, right);
    expect("1=conv(0) 3=conv+1(0)");
    const size_t early = conv(8, 0, 1), late = conv(8, 0, 1);
    sum(late, early);
    expect("1=conv(0) 3=conv+1(0)");
}

Test(program, an_activation_can_follow_a_residual)
{
    begin_graph();
    relu(relu(sum(relu(conv(4, 0, 3)), 0)));
    expect("4=conv,relu+0,relu(0) 5=relu(4)!");
    norm(sum(conv(4, 0, 3), 0));
    expect("2=conv+0(0) 3=batch_norm(2)!");
    conv(4, sum(conv(4, 0, 3), 0), 1);
    expect("2=conv+0(0) 3=conv(2)");
    sum(sum(conv(4, 0, 3), 0), 0);
    expect("2=conv+0(0) 3=add(2 0)!");
}

Test(program, adds_of_their_own)
{
    begin_graph();
    const size_t read = conv(4, 0, 3);
    sum(sum(read, 0), read); /* two read it */
    expect("1=conv(0) 2=add(1 0)! 3=add(2 1)!");
    const size_t wide = conv(4, 0, 3);
    sum(wide, conv(1, 0, 3)); /* a broadcast */
    expect("1=conv(0) 2=conv(0) 3=add(1 2)!");
    sum(0, conv(4, add(LAYER_ADAPTIVE_AVG_POOL, 4, 1, (size_t)0), 1)); /* of a grid */
    expect("1=adaptive_avg_pool(0)! 2=conv(1) 3=add(0 2)!");
    relu(sum(0, 0));
    expect("2=add,relu(0 0)!");
    add(LAYER_ADD, 4, 3, conv(4, 0, 3), (size_t)0, (size_t)0);
    expect("1=conv(0) 2=add(1 0 0)!");
}

/* Strides of 2 halve a map alike, whatever the kernel; a pool that rounds up may not. */
Test(program, sizes_are_known_to_be_equal)
{
    begin_graph();
    const size_t pooled = window(LAYER_MAX_POOL, 4, 0, 3, 2);
    sum(window(LAYER_CONV, 4, window(LAYER_CONV, 4, 0, 3, 2), 3, 1), pooled);
    expect("1=max_pool(0)! 2=conv(0) 4=conv+1(2)");
    const size_t up = window(LAYER_AVG_POOL, 4, 0, 3, 2);
    nodes[up].layer.window.is_ceil = true;
    sum(window(LAYER_CONV, 4, 0, 3, 2), up);
    expect("1=avg_pool(0)! 2=conv(0) 3=add(2 1)!");
    const size_t same = window(LAYER_CONV, 4, 0, 3, 2);
    nodes[same].layer.window.is_same = true;
    sum(same, window(LAYER_CONV, 4, 0, 1, 2));
    expect("1=conv(0) 3=conv+1(0)");
    const size_t stretched = resize(window(LAYER_CONV, 4, 0, 3, 2), 0);
    sum(stretched, conv(4, 0, 3));
    expect("1=conv(0) 2=resize(1)! 4=conv+2(0)");
}

/* ---- parts ---- */

Test(program, concats_are_parts_of_convs)
{
    begin_graph();
    const size_t a = conv(3, 0, 3), b = conv(5, 0, 3), both = concat(concat(a, 0), b);
    conv(8, concat(both, relu(conv(2, both, 1))), 3);
    expect("1=conv(0) 2=conv(0) 6=conv,relu(1 0 2) 8=conv(1 0 2 6)");
    relu(norm(concat(conv(3, 0, 1), 0)));
    expect("1=conv(0) 4=batch_norm,relu(1 0)");
}

Test(program, concats_that_are_stored)
{
    begin_graph();
    const size_t both = concat(conv(3, 0, 3), 0);
    sum(conv(7, both, 3), both); /* an add reads it too */
    expect("1=conv(0) 2=concat(1 0)! 4=conv+2(2)");
    concat(conv(3, 0, 3), 0); /* the output */
    expect("1=conv(0) 2=concat(1 0)!");
    nodes[conv(8, concat(0, 0), 3)].layer.groups = 8;
    expect("1=concat(0 0)! 2=conv(1)");
}

Test(program, concats_of_many_parts_are_stored)
{
    begin_graph();
    size_t wide = 0;
    for (size_t i = 0; i < 8; i++) /* 256 parts */
        wide = concat(wide, wide);
    conv(8, wide, 1);
    struct program program;
    lower(&program);
    for (size_t k = 0; k < program.count; k++)
        cr_expect_leq(program.steps[k].section.part_count, PARTS_MAX);
    check_order(&program);
    program_release(&program);
}

Test(program, stretched_parts)
{
    begin_graph();
    const size_t small = window(LAYER_CONV, 8, 0, 3, 2);
    conv(8, concat(0, resize(small, 0)), 3);
    expect("1=conv(0) 4=conv(0 ~1)");
    conv(8, resize(window(LAYER_CONV, 8, 0, 3, 2), 0), 1);
    expect("1=conv(0) 3=conv(~1)");
    resize(window(LAYER_CONV, 8, 0, 3, 2), 0);
    expect("1=conv(0) 2=resize(1)!");
    const size_t read = resize(window(LAYER_CONV, 4, 0, 3, 2), 0);
    sum(conv(4, read, 3), read);
    expect("1=conv(0) 2=resize(1)! 4=conv+2(2)");
}

Test(program, slices_are_parts)
{
    begin_graph();
    const size_t wide = conv(8, 0, 1), left = slice(wide, 0, 4), right = slice(wide, 4, 8);
    const size_t seen = conv(4, left, 3);
    concat(seen, relu(right));
    expect("1=conv(0) 4=conv(1[0:4]) 5=relu(1[4:8]) 6=concat(4 5)!");
    window(LAYER_MAX_POOL, 2, slice(0, 1, 3), 3, 1);
    expect("1=slice(0)! 2=max_pool(1)!");
    conv(4, slice(slice(0, 1, 4), 0, 2), 1);
    expect("1=slice(0)! 3=conv(1[0:2])");
}

/* ---- pyramids ---- */

Test(program, branches_are_parts)
{
    begin_graph();
    conv(8, pool_pyramid(conv(4, 0, 3)), 3);
    expect("1=conv(0) 3=conv(b0 b1 1)");
    begin_graph();
    conv(8, concat(0, pool_pyramid(0)), 3);
    expect("3=conv(0 b0 b1 0)");
}

Test(program, pyramids_that_are_stored)
{
    begin_graph();
    pool_pyramid(0);
    expect("1=(b0 b1 0)");
    const size_t twice = pool_pyramid(0);
    const size_t narrow = conv(1, twice, 1);
    concat(narrow, relu(twice));
    expect("1=(b0 b1 0) 2=conv(1) 3=relu(1)! 4=concat(2 3)!");
    const size_t first = pool_pyramid(0);
    conv(8, concat(first, pool_pyramid(0)), 1);
    expect("2=(b0 b1 0) 4=conv(b0 b1 0 2)");
    const size_t both = concat(pool_pyramid(0), 0);
    const size_t left = conv(1, both, 1);
    concat(left, conv(1, both, 1));
    expect("1=(b0 b1 0) 3=conv(1 0) 4=conv(1 0) 5=concat(3 4)!");
    conv(8, concat(concat(pool_pyramid(0), 0), 0), 1);
    expect("1=(b0 b1 0) 4=conv(1 0 0)");
}

/* ---- steps of their own ---- */

Test(program, other_layers_are_steps)
{
    begin_graph();
    const size_t pooled = add(LAYER_ADAPTIVE_AVG_POOL, 4, 1, (size_t)0);
    const size_t gate = add(LAYER_ACTIVATION, 4, 1, conv(4, pooled, 1));
    nodes[gate].layer.activation = SIMD_SIGMOID;
    relu(add(LAYER_MUL, 4, 2, (size_t)0, gate));
    expect("1=adaptive_avg_pool(0)! 3=conv,sigmoid(1) 5=mul,relu(0 3)!");
    relu(window(LAYER_MAX_POOL, 4, 0, 3, 2));
    expect("1=max_pool(0)! 2=relu(1)!");
    add(LAYER_CHANNEL_SUM, 1, 1, add(LAYER_GROUP_NORM, 4, 1, conv(4, 0, 1)));
    expect("1=conv(0) 2=group_norm(1)! 3=channel_sum(2)!");
}
