/* app.h - what all handlers share: the context of every request. */
#ifndef PPM_SERVER_HANDLERS_APP_H
#define PPM_SERVER_HANDLERS_APP_H

#include "server/config/settings.h"
#include "server/executor.h"
#include "server/models/served.h"

#include <stdatomic.h>

/* Lives as long as the server listens. Any thread may use it. */
struct app {
    struct settings settings; /* as of the start; no reload changes it */
    size_t threads;           /* that compute */
    double started_s;         /* since 1970 */
    struct executor *executor;
    struct served served;
    atomic_flag is_changing_model; /* by request, and only one at a time */
    /* ready, then leaving (not ready, still serving), then refusing what is new */
    atomic_bool is_ready, is_leaving, is_refusing;
};

#endif
