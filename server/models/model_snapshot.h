/* model_snapshot.h - the files of the models as they were at one moment: which there are, and what
 * tells that one was written or exchanged. */
#ifndef PPM_SERVER_MODELS_MODEL_SNAPSHOT_H
#define PPM_SERVER_MODELS_MODEL_SNAPSHOT_H

#include "server/config/settings.h"

struct model_snapshot;

/* Looks at the JSON of each model that settings name, and at its weights: size, time of
 * modification, and inode, of links that of the file at their end. Opens only the JSON that differs
 * from that in before, the last snapshot; or NULL. A file that is missing or malformed is part of
 * it like any other. The caller frees it. NULL: no memory. */
struct model_snapshot *model_snapshot_take(const struct settings *settings,
                                           const struct model_snapshot *before);

/* The path of a file in which two snapshots differ; NULL: none, as long as both live. NULL as a
 * snapshot differs from every other, in "models". */
const char *model_snapshot_difference(const struct model_snapshot *before,
                                      const struct model_snapshot *after);

void model_snapshot_free(struct model_snapshot *snapshot); /* NULL is allowed */

#endif
