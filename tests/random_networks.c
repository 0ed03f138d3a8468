/* random_networks.c - see random_networks.h. */
#include "tests/random_networks.h"
#include "simd/simd.h"
#include "tests/network_writer.h"
#include "tests/support.h"

#include <string.h>

enum { CHANNELS = 40 };

static void put_activation(struct writer *w)
{
#define ACTIVATION(constant, name, low, high) "{'" #name "': {}",
    static const char *const names[] = {"{'relu': {}", "{'relu': {}",
                                        "{'leaky_relu': {'slope': 0.2}",
                                        SIMD_ACTIVATIONS(ACTIVATION) NULL};
    put(w, "%s", pick_text(w, names));
}

/* Names of entries have to differ, so a layer after a conv is an entry like any other. */
static void add_activation(struct writer *w)
{
    const struct made from = pick_map(w);
    put_activation(w);
    end_entry(w, from, from.channels, from.size);
}

static void add_norm(struct writer *w)
{
    const struct made from = pick_map(w);
    const size_t kind = pick(w, 4);
    if (kind < 2)
        put(w, "{'batch_norm': {'weights': 'w%zu'}", w->weights++);
    else if (kind == 2)
        put(w, "{'layer_norm': {'weights': 'w%zu', 'eps': 0.001}", w->weights++);
    else
        put(w, "{'group_norm': {'weights': 'w%zu', 'groups': %zu}", w->weights++,
            from.channels % 3 == 0   ? (size_t)3
            : from.channels % 2 == 0 ? from.channels / 2
                                     : (size_t)1);
    end_entry(w, from, from.channels, from.size);
}

static void add_prelu(struct writer *w)
{
    const struct made from = pick_map(w);
    put(w, "{'prelu': {'weights': 'w%zu'}", w->weights++);
    end_entry(w, from, from.channels, from.size);
}

static void add_softmax(struct writer *w)
{
    const struct made from = pick_map(w);
    if (from.channels == 1)
        return;
    put(w, "{'softmax': {}");
    end_entry(w, from, from.channels, from.size);
}

/* Groups and channels of a conv: mostly none; depthwise; or a divisor of both. */
static size_t pick_groups(struct writer *w, size_t in, size_t *ret_out)
{
    static const size_t divisors[] = {2, 3, 4, 5};
    const size_t kind = pick(w, 5), divisor = divisors[pick(w, COUNT(divisors))];
    *ret_out = 1 + pick(w, CHANNELS);
    if (kind == 0) {
        *ret_out = in;
        return in;
    }
    if (kind == 1 && in % divisor == 0) {
        *ret_out = divisor * (1 + pick(w, 6));
        return divisor;
    }
    return 1;
}

static const struct window_text {
    const char *kernel, *options;
    bool keeps_size;
} windows[] = {
    {"1", "", true},
    {"1", "", true},
    {"3", ", 'padding': 1", true},
    {"3", ", 'padding': 1", true},
    {"3", ", 'padding': 2, 'dilation': 2", true},
    {"3", ", 'padding': 'same', 'dilation': [1, 3]", true},
    {"[1, 3]", ", 'padding': [0, 1]", true},
    {"[5, 1]", ", 'padding': [2, 0]", true},
    {"2", ", 'padding': [0, 0, 1, 1]", true},
    {"7", ", 'padding': 3", true},
    {"1", ", 'stride': 2", false},
    {"1", ", 'stride': [1, 3]", false},
    {"3", ", 'stride': 2, 'padding': 1", false},
    {"3", ", 'stride': 2, 'padding': 1", false},
    {"3", ", 'stride': 2, 'padding': 'same'", false},
    {"3", ", 'stride': [2, 1], 'padding': [2, 0, 1, 1]", false},
    {"3", ", 'stride': 2, 'dilation': 2, 'padding': 1", false},
    {"7", ", 'stride': 2, 'padding': 3", false},
    {"5", ", 'stride': 3, 'padding': 2", false},
    {"3", "", false},
    {"[2, 3]", ", 'padding': 2", false},
};

static void add_conv(struct writer *w)
{
    const struct made from = pick_map(w);
    const struct window_text *window = &windows[pick(w, COUNT(windows))];
    size_t channels;
    const size_t groups = pick_groups(w, from.channels, &channels);
    put(w, "{'conv': {'channels': %zu, 'kernel': %s%s", channels, window->kernel, window->options);
    if (groups > 1)
        put(w, ", 'groups': %zu", groups);
    put(w, ", 'bias': %s, 'weights': 'w%zu'}", pick(w, 2) ? "true" : "false", w->weights++);
    end_entry(w, from, channels, window->keeps_size ? from.size : ++w->sizes);
    if (pick(w, 2)) {
        put(w, "{'batch_norm': {'weights': 'w%zu'}", w->weights++);
        end_entry(w, last_map(w), channels, last_map(w).size);
    }
    if (pick(w, 2)) {
        put_activation(w);
        end_entry(w, last_map(w), channels, last_map(w).size);
    }
}

static void add_pool(struct writer *w)
{
    static const struct {
        const char *text;
        bool keeps_size;
    } pools[] = {
        {"{'max_pool': {'window': 2}", false},
        {"{'max_pool': {'window': 3, 'stride': 2, 'padding': 1}", false},
        {"{'max_pool': {'window': 3, 'stride': 2, 'ceil': true}", false},
        {"{'max_pool': {'window': [3, 5], 'stride': 1, 'padding': [1, 2]}", true},
        {"{'avg_pool': {'window': 2, 'ceil': true}", false},
        {"{'avg_pool': {'window': 5, 'stride': 2, 'padding': 2}", false},
        {"{'avg_pool': {'window': 3, 'stride': 2, 'padding': 1, 'ceil': true, 'count_padding': "
         "false}",
         false},
        {"{'avg_pool': {'window': 3, 'stride': 1, 'padding': 1}", true},
    };
    const struct made from = pick_map(w);
    const size_t i = pick(w, COUNT(pools));
    put(w, "%s", pools[i].text);
    end_entry(w, from, from.channels, pools[i].keeps_size ? from.size : ++w->sizes);
}

static void add_bins(struct writer *w)
{
    static const char *const bins[] = {"1", "1", "2", "[3, 4]", NULL};
    const struct made from = pick_map(w);
    put(w, "{'adaptive_avg_pool': {'bins': %s}", pick_text(w, bins));
    end_entry(w, from, from.channels, ++w->sizes);
}

static const char *const modes[] = {"align_corners", "half_pixel", "asymmetric", "nearest", NULL};

static void add_resize(struct writer *w)
{
    static const char *const sizes[] = {"'scale': 2",      "'scale': 1.5",   "'scale': 0.5",
                                        "'size': [9, 13]", "'size': [1, 7]", NULL};
    const struct made from = pick_map(w), like = w->made[pick(w, w->count)];
    if (pick(w, 3)) {
        put(w, "{'resize': {'like': '%s', 'mode': '%s'}", like.name, pick_text(w, modes));
        note_read(w, &like);
        end_entry(w, from, from.channels, like.size);
    } else {
        put(w, "{'resize': {%s, 'mode': '%s'}", pick_text(w, sizes), pick_text(w, modes));
        end_entry(w, from, from.channels, ++w->sizes);
    }
}

static void add_channels(struct writer *w)
{
    const struct made from = pick_map(w);
    const size_t first = pick(w, from.channels);
    const size_t count = 1 + pick(w, from.channels - first);
    switch (pick(w, 4)) {
    case 0:
        put(w, "{'channel_sum': {}");
        end_entry(w, from, 1, from.size);
        break;
    case 1:
        put(w, "{'channel_mean': {}");
        end_entry(w, from, 1, from.size);
        break;
    case 2:
        put(w, "{'affine': {'scale': -1, 'shift': 1}");
        end_entry(w, from, from.channels, from.size);
        break;
    default:
        put(w, "{'slice': {'channels': [%zu, %zu]}", first, first + count);
        end_entry(w, from, count, from.size);
    }
}

static void add_concat(struct writer *w)
{
    struct made reads[4] = {pick_map(w)};
    size_t count = 1, channels = reads[0].channels;
    for (size_t tries = 0; tries < 12 && count < COUNT(reads); tries++) {
        const struct made other = w->made[pick(w, w->count)];
        if (other.size == reads[0].size && channels + other.channels <= 3 * CHANNELS) {
            reads[count++] = other;
            channels += other.channels;
        }
    }
    if (count > 1)
        add_entry(w, "concat", reads, count, channels);
}

/* The same channels, or one for all; a squeeze of one to a point. */
static void add_sum(struct writer *w)
{
    static const char *const operators[] = {"add", "add", "mul", NULL};
    struct made reads[3] = {pick_map(w)};
    size_t count = 1;
    for (size_t tries = 0; tries < 12 && count < COUNT(reads); tries++) {
        const struct made other = w->made[pick(w, w->count)];
        if (other.size == reads[0].size &&
            (other.channels == reads[0].channels || other.channels == 1))
            reads[count++] = other;
    }
    if (count > 1)
        add_entry(w, pick_text(w, operators), reads, count, reads[0].channels);
}

/* A block that changes nothing but values, and the residual around it. */
static void add_residual(struct writer *w)
{
    const struct made from = pick_map(w);
    put(w, "{'conv': {'channels': %zu, 'kernel': 3, 'padding': 1, 'weights': 'w%zu'}",
        from.channels, w->weights++);
    end_entry(w, from, from.channels, from.size);
    put(w, "{'batch_norm': {'weights': 'w%zu'}", w->weights++);
    end_entry(w, last_map(w), from.channels, from.size);
    const struct made reads[2] = {last_map(w), from};
    add_entry(w, "add", reads, 2, from.channels);
    put(w, "{'relu': {}");
    end_entry(w, last_map(w), from.channels, from.size);
}

/* Squeeze and excite: each channel times a number that follows from all. */
static void add_gate(struct writer *w)
{
    const struct made from = pick_map(w);
    put(w, "{'adaptive_avg_pool': {'bins': 1}");
    end_entry(w, from, from.channels, ++w->sizes);
    put(w, "{'conv': {'channels': %zu, 'weights': 'w%zu'}", from.channels, w->weights++);
    end_entry(w, last_map(w), from.channels, w->sizes);
    put(w, "{'sigmoid': {}");
    end_entry(w, last_map(w), from.channels, w->sizes);
    const struct made reads[2] = {from, last_map(w)};
    add_entry(w, "mul", reads, 2, from.channels);
}

static void add_pyramid(struct writer *w)
{
    static const char *const bins[] = {"[1, 2, 3, 6]", "[1]", "[2, 5]", NULL};
    static const char *const orders[] = {"input_first", "input_last", "branches", NULL};
    static const char *const pyramid_modes[] = {"align_corners", "half_pixel", "asymmetric", NULL};
    const struct made from = pick_map(w);
    const char *grid = pick_text(w, bins), *order = pick_text(w, orders);
    const size_t channels = 1 + pick(w, 9);
    size_t branches = 1;
    for (const char *c = grid; *c; c++)
        branches += *c == ',';
    put(w, "{'pyramid': {'bins': %s, 'branch': [{'conv': {'channels': %zu, 'weights': 'w%zu.{i}'}}",
        grid, channels, w->weights++);
    if (pick(w, 2))
        put(w, ", {'batch_norm': {'weights': 'w%zu.{i}'}}", w->weights++);
    put(w, ", 'relu'], 'upsample': '%s', 'concat': '%s'}", pick_text(w, pyramid_modes), order);
    end_entry(w, from, branches * channels + (*order == 'i' ? from.channels : 0), from.size);
}

static void put_inputs(struct writer *w)
{
    const size_t count = 1 + pick(w, 5) / 3 + pick(w, 4) / 3;
    put(w, "{'inputs': {");
    for (size_t i = 0; i < count; i++) {
        const size_t channels = 1 + pick(w, 12);
        put(w, "%s'%s': {'channels': %zu}", i ? ", " : "", add_map(w, channels, 0)->name, channels);
    }
    put(w, "}, 'network': [");
    w->inputs = count;
}

/* Every map that nothing reads, on a few bins, so that the answer depends on it. */
static void add_collection(struct writer *w)
{
    struct made reads[MADE_MAX];
    size_t count = 0, channels = 0;
    const size_t made = w->count, size = ++w->sizes;
    for (size_t i = 0; i < made; i++)
        if (!w->made[i].is_read) {
            put(w, "{'adaptive_avg_pool': {'bins': [3, 4]}");
            end_entry(w, w->made[i], w->made[i].channels, size);
            channels += w->made[i].channels;
            reads[count++] = last_map(w);
        }
    if (count > 1)
        add_entry(w, "concat", reads, count, channels);
}

static void put_output(struct writer *w)
{
    static const char *const outputs[] = {"",
                                          "",
                                          ", 'output': {'scale': 2}",
                                          ", 'output': {'size': [7, 19], 'upsample': 'half_pixel'}",
                                          ", 'output': {'size': 'input', 'upsample': 'asymmetric'}",
                                          ", 'output': {'scale': 3, 'trim': true, 'as': 'sigmoid'}",
                                          NULL};
    put(w, "%s, 'weights': {'random': %zu}}", pick_text(w, outputs), pick(w, 1000));
}

void random_network(uint64_t seed, size_t layers, char ret[NETWORK_BYTES])
{
    static void (*const add[])(struct writer * w) = {
        add_conv,   add_conv,     add_conv,     add_conv,   add_conv,   add_activation,
        add_norm,   add_prelu,    add_softmax,  add_pool,   add_pool,   add_bins,
        add_resize, add_resize,   add_channels, add_concat, add_concat, add_sum,
        add_sum,    add_residual, add_gate,     add_pyramid};
    struct writer w = {.state = seed * 2862933555777941757u + 3037000493u, .text = ret};
    put_inputs(&w);
    while (w.count < w.inputs + layers)
        add[pick(&w, COUNT(add))](&w);
    if (pick(&w, 3))
        add_collection(&w);
    w.length -= strlen(", ");
    put(&w, "]");
    put_output(&w);
}
