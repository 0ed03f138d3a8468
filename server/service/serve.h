/* serve.h - what the parts of a running server share. */
#ifndef PPM_SERVER_SERVICE_SERVE_H
#define PPM_SERVER_SERVICE_SERVE_H

#include "server/executor.h"
#include "server/http/http.h"
#include "server/models/registry.h"
#include "server/models/warm_up.h"
#include "server/observe/metrics.h"

/* The context of every handler. Lives from start to stop; its parts are safe to use from any
 * thread, the registry through service_registry. */
struct service {
    struct settings settings; /* those of the start; a reload changes models and log level alone */
    size_t threads;           /* that compute */
    double started_s;         /* since 1970 */
    struct executor *executor;
    struct loader *loader;
    struct http_server *http;
    /* ready, then leaving (not ready, still serving), then refusing what is new */
    atomic_bool is_ready, is_leaving, is_refusing;
    double leaving_s; /* when the signal to stop came, monotonic; the main thread's */
};

/* ---- served.c: the set of models ---- */

/* The models being served now, held for the caller, who releases them. */
struct registry *service_registry(struct service *service);

/* Those served from now on, taken over; NULL: none. Between begin and end, which make others that
 * would change the set wait. */
void service_exchange_registry(struct registry *registry);
void service_begin_change(void);
void service_end_change(void);

/* Reads the model of that name again and warms it up, or lets it go; the set is exchanged then. It
 * stays what it was on failure, of which PPM_UNFIT says that no such model is configured, and
 * PPM_CANCELLED that progress said so. Takes as long as loading does. Any thread. */
enum ppm_status service_change_model(struct service *service, const char *name, bool is_loaded,
                                     const struct ppm_progress *progress, struct ppm_error *error);

/* Whether the signal to stop has come: ppm_progress.is_cancelled, of a service. */
bool service_is_leaving(void *service);

/* ---- loader.c: the thread that loads ---- */

/* Starts it, and it loads what the service's settings name; the arguments are read again for each
 * reload. What it loads is abandoned once the service is leaving. The caller stops it. NULL and
 * PPM_NO_MEMORY on failure. */
struct loader *loader_start(struct service *service, int count, char *const *arguments,
                            struct ppm_error *error);

/* Whether it is loading. */
bool loader_is_busy(struct loader *loader);

/* What came of the load at the start, once that is over. */
enum ppm_status loader_result(const struct loader *loader, struct warm_up_report *ret_report,
                              struct ppm_error *error);

/* Loads the configuration again; where that is being done already, once more afterwards. */
void loader_reload(struct loader *loader);

/* Waits until it is not busy, and frees it. NULL is allowed. */
void loader_stop(struct loader *loader);

/* Loads what settings name, on this thread, prints that it is good and lets it go. */
enum ppm_status loader_check(const struct settings *settings, struct ppm_error *error);

/* ---- observe.c: what http_start calls ---- */

void observe_answer(const struct http_request *request);
void observe_message(const char *text);

/* `ppm-server serve`: serves until a signal and a drain. */
enum ppm_status serve(int count, char *const *arguments, struct ppm_error *error);

#endif
