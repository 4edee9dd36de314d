#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#define LINE_MAX_BYTES 2048

static const char *const level_names[] = { "debug", "info", "warning", "error" };

/* Set once before other threads start, read by all. */
static struct {
    char service[33];
    char node[33];
    enum bf_log_level least;
} settings = { .least = BF_LOG_INFO };

void bf_log_init(const char *service, const char *node, enum bf_log_level least)
{
    snprintf(settings.service, sizeof settings.service, "%s", service != NULL ? service : "");
    snprintf(settings.node, sizeof settings.node, "%s", node != NULL ? node : "");
    settings.least = least;
}

int bf_log_level_parse(enum bf_log_level *ret, const char *word)
{
    for (size_t i = 0; word != NULL && i < BF_COUNT_OF(level_names); i++) {
        if (strcmp(word, level_names[i]) == 0) {
            *ret = (enum bf_log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* A line being written; what does not fit is left out, the rest stays a whole line. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t length;
};

static void line_vadd(struct line *l, const char *format, va_list args)
{
    size_t room = sizeof l->text - 1 - l->length; /* one byte is kept for the newline */
    int n = vsnprintf(l->text + l->length, room, format, args);

    if (n > 0)
        l->length += (size_t)n < room ? (size_t)n : room - 1;
}

__attribute__((format(printf, 2, 3))) static void line_add(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_vadd(l, format, args);
    va_end(args);
}

/* Whatever a field holds, the line stays one line and the terminal stays as it is. */
static void line_finish(struct line *l)
{
    bf_text_clean(l->text, l->length);
    l->text[l->length++] = '\n';
}

void bf_log(enum bf_log_level level, const char *msg, const char *fields, ...)
{
    if (level < settings.least)
        return;

    int saved_errno = errno;
    struct line l = { .length = 0 };
    char time[25];
    line_add(&l, "time=%s level=%s", bf_rfc3339(time, bf_unix_ms()), level_names[level]);
    if (settings.service[0] != '\0')
        line_add(&l, " service=%s", settings.service);
    if (settings.node[0] != '\0')
        line_add(&l, " node=%s", settings.node);

    char quoted[LINE_MAX_BYTES / 2];
    line_add(&l, " msg=%s", bf_log_quote(quoted, sizeof quoted, msg));
    if (fields != NULL) {
        va_list args;
        va_start(args, fields);
        line_add(&l, " ");
        line_vadd(&l, fields, args);
        va_end(args);
    }

    line_finish(&l);
    ssize_t ignored = write(STDERR_FILENO, l.text, l.length); /* nowhere to complain if stderr is gone */
    (void)ignored;
    errno = saved_errno;
}

const char *bf_log_quote(char *buf, unsigned long size, const char *text)
{
    size_t n = 0;
    if (size < 3) {
        if (size > 0)
            buf[0] = '\0';
        return buf;
    }

    buf[n++] = '"';
    for (; text != NULL && *text != '\0'; text++) {
        int escape = *text == '"' || *text == '\\' || *text == '\n';
        if (n + (escape ? 2 : 1) + 2 > size)
            break;
        if (escape)
            buf[n++] = '\\';
        buf[n++] = *text == '\n' ? 'n' : *text;
    }
    buf[n++] = '"';
    buf[n] = '\0';
    return buf;
}

int bf_log_allow(struct bf_log_limit *limit, uint64_t now_ms, uint64_t interval_ms, uint64_t *ret_suppressed)
{
    if (now_ms < limit->next_ms) {
        limit->suppressed++;
        return 0;
    }

    *ret_suppressed = limit->suppressed;
    limit->suppressed = 0;
    limit->next_ms = now_ms + interval_ms;
    return 1;
}
