/* Logfmt lines on stderr: `time=… level=… service=… node=… msg="…" key=value …`, one write(2) each, any thread.
 * Libraries return errors; services log, once, where the decision about a failure is made. */
#ifndef BELFRY_BASE_LOG_H
#define BELFRY_BASE_LOG_H

#include <stdint.h>

enum bf_log_level { BF_LOG_DEBUG, BF_LOG_INFO, BF_LOG_WARNING, BF_LOG_ERROR };

/* Names that every line carries; both are copied. Call once before other threads start. */
void bf_log_init(const char *service, const char *node, enum bf_log_level least);

/* "debug", "info", "warning", "error"; -EINVAL otherwise. */
int bf_log_level_parse(enum bf_log_level *ret, const char *word);

/* `msg` is a constant sentence; `fields` a printf format of logfmt fields ("camera=%s port=%u") or NULL.
 * Values that may hold spaces or quotes: wrap with bf_log_quote. Control bytes are replaced before writing. */
void bf_log(enum bf_log_level level, const char *msg, const char *fields, ...) __attribute__((format(printf, 3, 4)));

/* Writes `text` as a quoted logfmt value into buf (always terminated) and returns buf. */
const char *bf_log_quote(char *buf, unsigned long size, const char *text);

#define bf_debug(...) bf_log(BF_LOG_DEBUG, __VA_ARGS__)
#define bf_info(...) bf_log(BF_LOG_INFO, __VA_ARGS__)
#define bf_warning(...) bf_log(BF_LOG_WARNING, __VA_ARGS__)
#define bf_err(...) bf_log(BF_LOG_ERROR, __VA_ARGS__)

/* Lets one line through per `interval_ms` and counts the rest: for causes that repeat.
 * `now_ms` is monotonic; returns 1 and the number suppressed since the last line, or 0. One thread per limit. */
struct bf_log_limit {
    uint64_t next_ms;
    uint64_t suppressed;
};
int bf_log_allow(struct bf_log_limit *limit, uint64_t now_ms, uint64_t interval_ms, uint64_t *ret_suppressed);

#endif
