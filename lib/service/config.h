/* belfry.yml: one file a host, one typed table, one check. Every service reads the common part and its own section; an
 * unknown key is an error for all. BELFRY_<SECTION>_<KEY> overrides a scalar of a section (BELFRY_BROKER_PORT=8884,
 * BELFRY_GATEWAY_LISTEN=0.0.0.0:8080, BELFRY_SITE=home). Relative paths are relative to the file's directory.
 * Secrets are files, never values. */
#ifndef BELFRY_SERVICE_CONFIG_H
#define BELFRY_SERVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

struct bf_camera_config {
    char *id;     /* [a-z0-9-]{1,32}; also the camera's node */
    char *name;   /* for people, at most 64 bytes; default: id */
    char *source; /* "test-pattern" (default), "file", "libcamera" */
    char *file;   /* source file, and only there: path of the video, absolute once loaded */
    char *sensor; /* source libcamera: index ("0") or id; default "0" */

    /* What a session gets when its start does not say, 640, 480, 30, 2000 by default, gop_ms a segment of the profile
     * (and never more), and the limits of what a start may ask for, 1920, 1080, 60, 10000. Where only one of a pair is
     * given, the other follows if it must. */
    uint32_t width, height, fps, bitrate_kbps, gop_ms;
    uint32_t max_width, max_height, max_fps, max_bitrate_kbps;

    char *encoder;       /* "auto" (default), "h264_v4l2m2m", "libx264" */
    char *overlay;       /* "none" (default), "barcode"; the test pattern always has both */
    char *transport;     /* "srt" (default), "udp" */
    uint32_t latency_ms; /* SRT latency, 20..8000, default 60 */
    char *input;         /* "udp://address:port": sent by something that is not ours; no camera service */
    char *input_source;  /* with input, and then needed: the address it is sent from */
    char *profile;       /* "realtime", "balanced" (default), "economy": stream/profile.h */
    bool record;         /* default of a start that does not say */

    bool on_demand;           /* the first viewer's request starts it; never together with record; default false */
    uint32_t idle_timeout_ms; /* and it stops so long after the last one; default 30000 */
};

struct bf_config {
    char *directory; /* of the file, absolute; so are all paths below */
    char *site;
    struct {
        char *host;           /* default 127.0.0.1 */
        uint16_t port;        /* default 8883 */
        uint32_t keepalive_s; /* default 30 */
        char *alpn;           /* default none */
        bool tls;             /* default true; false only for a host of 127.0.0.0/8 or ::1 */
    } broker;
    struct {
        char *dir; /* default keys: <node>.key <node>.crt <node>.tls.key ca.crt root.pub trust.bundle */
    } keys;
    struct {
        char *media; /* stream directories; default media */
        char *state; /* epochs, intents; default state */
    } storage;
    struct bf_camera_config *cameras;
    size_t n_cameras;
    struct {
        char *node;           /* this host's camera when --node is not given; default: the first without `input` */
        uint32_t no_frame_ms; /* watchdog: no frame for so long = restart of the source; default 3000 */
    } camera;
    struct {
        char *node;                     /* default ingest-1 */
        char *address;                  /* local address to listen on; default 127.0.0.1 */
        char *advertise;                /* what cameras connect to; default address */
        uint16_t port_first, port_last; /* default 20000, 20099 */
        uint32_t silence_ms;            /* no media for so long = stalled; default 3000 */
        uint32_t window_ms;             /* what a live playlist lists; default 12000 */
        uint64_t reserve_bytes;         /* media disk space left alone; default 64 MiB */
    } ingest;
    struct {
        char *node;           /* default gateway-1 */
        char *listen;         /* default 127.0.0.1:8080 */
        char *ingest;         /* ingest node to use; default: any that is online */
        char *default_camera; /* of the two article routes; default: the first */
        char **cors;
        size_t n_cors;             /* exact origins; default none */
        uint32_t threads;          /* default 256 */
        uint32_t start_timeout_ms; /* default 10000 */
        uint32_t stop_timeout_ms;  /* default 10000 */
        uint32_t lease_ms;         /* default 10000 */
        char *web;                 /* directory of the player; default: as installed */
        bool media_only;           /* serves what others bring up, orders nothing: no broker, no keys; default false */
    } gateway;
    struct {
        char *node;              /* default janitor-1 */
        uint32_t purge_after_ms; /* how long after its end a session that does not record stays; default 5000 */
        uint32_t max_age_days;   /* recordings; 0 = for ever (default) */
        uint64_t max_bytes;      /* recordings; 0 = no limit (default) */
    } janitor;
    struct {
        char *level; /* "debug", "info" (default), "warning", "error" */
    } log;
};

/* Reads, overrides from `environ`, fills defaults, checks. On failure the text of e is ready for the user:
 * "belfry.yml:12: gateway.listen: \"0.0.0.0\": expected address:port, as in 127.0.0.1:8080". `environ_` may be NULL. */
int bf_config_load(struct bf_config **ret, const char *path, char **environ_, struct bf_error *e);
void bf_config_free(struct bf_config *c);
const struct bf_camera_config *bf_config_camera(const struct bf_config *c, const char *id); /* or NULL */
/* The whole configuration in force, as YAML, for --check. */
void bf_config_print(const struct bf_config *c, FILE *f);

#endif
