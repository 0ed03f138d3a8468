/* abandon.c - see abandon.h. */
#include "server/handlers/inference/abandon.h"
#include "server/base/clock.h"

/* How often to check clock and client; what takes less time is not checked at all. */
enum { LOOK_EVERY_US = 5000 };

bool inference_is_stale(const struct executor_job *job)
{
    const struct inference *inference = (const struct inference *)job;
    return http_is_past(&inference->deadline) || http_client_is_gone(inference->request);
}

static struct inference *next_of(const struct inference *inference)
{
    return (struct inference *)inference->job.next;
}

/* Whether a check is due. Only one thread gets true, and must check. The first is due after one
 * interval. */
static bool takes_look(struct inference *inference)
{
    const long long now_us = (long long)(1e6 * clock_now_s());
    long long due_us = 0;
    if (atomic_compare_exchange_strong(&inference->next_look_us, &due_us, now_us + LOOK_EVERY_US))
        return false;
    return now_us >= due_us && atomic_compare_exchange_strong(&inference->next_look_us, &due_us,
                                                              now_us + LOOK_EVERY_US);
}

bool inference_is_abandoned(void *batch)
{
    struct inference *first = batch;
    if (atomic_load(&first->is_abandoned))
        return true;
    if (!takes_look(first))
        return false;
    for (const struct inference *inference = first; inference; inference = next_of(inference))
        if (!inference_is_stale(&inference->job))
            return false;
    atomic_store(&first->is_abandoned, true);
    return true;
}

void inference_give_up(struct inference *inference, enum metrics_stage stage)
{
    const struct http_deadline *deadline = &inference->deadline;
    const bool is_late = http_is_past(deadline);
    metrics_cancelled(is_late ? METRICS_DEADLINE : METRICS_CLIENT_GONE, stage);
    inference->request->is_given_up = true;
    inference->request->response.header_count = 0; /* of an unsent answer */
    if (!is_late)
        http_problem(inference->request, 499, "the client closed its side of the connection");
    else
        http_problem(inference->request, 504, "%s after %zu ms (%s)",
                     stage == METRICS_QUEUE ? "still waiting" : "not computed", deadline->ms,
                     deadline->setting);
}
