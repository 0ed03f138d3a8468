/* drain.c - see drain.h. */
#include "server/service/drain.h"
#include "server/base/clock.h"
#include "server/observe/log.h"
#include "server/service/reload.h"
#include "server/service/service_manager.h"
#include "server/service/signals.h"

#include <stdlib.h>

enum { STEP_MS = 5, QUIET_STEPS = 4, WELCOME_S = 1 };

/* timeout(1) signals a process and its group: two signals this close count as one. */
static const double same_signal_s = 0.1;

/* A second signal ends the process; SIGHUP stays pending, as there is nothing left to reload. */
static void wait_or_leave(struct service *service, size_t ms)
{
    const double end_s = clock_now_s() + (double)ms / 1e3;
    for (double left_s; (left_s = end_s - clock_now_s()) > 0;) {
        if (!signals_stop_within(left_s) || clock_now_s() - service->leaving_s < same_signal_s)
            continue;
        log_line(LOG_WARN, "stopped by a second signal; requests lost: %zu",
                 http_in_flight(service->http));
        log_flush();
        _Exit(1);
    }
}

void drain(struct service *service)
{
    struct app *app = &service->app;
    service->leaving_s = clock_now_s();
    atomic_store(&app->is_leaving, true);
    atomic_store(&app->is_ready, false);
    log_line(LOG_INFO, "stopping; requests in flight: %zu", http_in_flight(service->http));
    service_manager_notify("STOPPING=1\nSTATUS=finishing requests");
    wait_or_leave(service, app->settings.drain_delay_ms);
    http_stop_accepting(service->http);
    const double refuse_at_s = clock_now_s() + WELCOME_S;
    for (int quiet_steps = 0; quiet_steps < QUIET_STEPS; quiet_steps++) {
        if (clock_now_s() > refuse_at_s)
            atomic_store(&app->is_refusing, true);
        if (!http_is_quiet(service->http) || reload_is_busy(service->reloader))
            quiet_steps = 0;
        wait_or_leave(service, STEP_MS);
    }
    log_line(LOG_INFO, "stopped");
}
