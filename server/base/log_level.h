/* log_level.h - how severe a record is, and how it is written. */
#ifndef PPM_SERVER_BASE_LOG_LEVEL_H
#define PPM_SERVER_BASE_LOG_LEVEL_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

#endif
