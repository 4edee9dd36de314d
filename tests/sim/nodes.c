/* Which nodes there are, and how they are configured. */
#include <stdio.h>

#include "base/cleanup.h"
#include "sim.h"

int sim_camera_main(int argc, char **argv);
int sim_ingest_main(int argc, char **argv);
int sim_gateway_main(int argc, char **argv);
int sim_janitor_main(int argc, char **argv);

const struct bf_service_def *sim_defs[BF_ROLE_OPERATOR];

/* Each service's main.c hands its table over here. */
int bf_service_main(int argc, char **argv, const struct bf_service_def *def)
{
    (void)argc;
    (void)argv;
    sim_defs[def->role] = def;
    return 0;
}

static struct bf_camera_config cameras[] = {
    { .id = "cam-1", .record = true },
    { .id = "cam-2", .record = false },
};

static void fill_cameras(void)
{
    for (size_t i = 0; i < BF_COUNT_OF(cameras); i++) {
        struct bf_camera_config *c = &cameras[i];
        c->name = c->id;
        c->source = "test-pattern";
        c->encoder = "auto";
        c->overlay = "none";
        c->transport = "srt";
        c->profile = "balanced";
        c->latency_ms = 60;
        c->width = c->max_width = 640;
        c->height = c->max_height = 480;
        c->fps = c->max_fps = 30;
        c->bitrate_kbps = c->max_bitrate_kbps = 2000;
        c->gop_ms = 1000;
    }
}

static void configure(struct sim_node *n)
{
    static char here[] = ".", media[] = "media", addresses[SIM_NODES_MAX][16];
    struct bf_config *c = &n->config;

    snprintf(n->state_path, sizeof n->state_path, "state-%u", n->host);
    snprintf(addresses[n->host], sizeof addresses[n->host], "10.0.0.%u", n->host + 1);
    *c = (struct bf_config){ .directory = here, .site = "sim" };
    c->broker.host = "broker";
    c->broker.port = 8883;
    c->broker.keepalive_s = 10;
    c->keys.dir = here;
    c->storage.media = media;
    c->storage.state = n->state_path;
    c->cameras = cameras;
    c->n_cameras = BF_COUNT_OF(cameras);
    c->camera.node = n->id;
    c->camera.no_frame_ms = 3000;
    c->ingest.node = n->id;
    c->ingest.address = c->ingest.advertise = addresses[n->host];
    c->ingest.port_first = 20000;
    c->ingest.port_last = 20003; /* few: a port is soon that of another session */
    c->ingest.silence_ms = 3000;
    c->ingest.window_ms = 12000;
    c->gateway.node = n->id;
    c->gateway.listen = "127.0.0.1:8080";
    c->gateway.default_camera = "cam-1";
    c->gateway.threads = 8;
    c->gateway.start_timeout_ms = SIM_START_TIMEOUT_MS;
    c->gateway.stop_timeout_ms = SIM_STOP_TIMEOUT_MS;
    c->gateway.lease_ms = SIM_LEASE_MS;
    c->gateway.web = "/nonexistent";
    c->janitor.node = "janitor-1";
    c->janitor.purge_after_ms = 500;
    c->log.level = "info";
}

static void add(enum bf_role role, const char *id, unsigned host)
{
    struct sim_node *n = &sim.nodes[sim.n_nodes++];

    *n = (struct sim_node){
        .role = role, .host = host, .state_dir = -1, .effects_left = SIM_NO_END, .effects_at_boot = SIM_NO_END
    };
    snprintf(n->id, sizeof n->id, "%s", id);
    sim.hosts[host] = (struct sim_host){ .synced = true };
    configure(n);
}

void sim_make_nodes(enum sim_gateways gateways)
{
    sim_camera_main(0, NULL);
    sim_ingest_main(0, NULL);
    sim_gateway_main(0, NULL);
    sim_janitor_main(0, NULL);
    fill_cameras();
    add(BF_ROLE_CAMERA, "cam-1", 1);
    add(BF_ROLE_CAMERA, "cam-2", 2);
    add(BF_ROLE_INGEST, "ingest-1", 0);
    add(BF_ROLE_INGEST, "ingest-2", 3);
    add(BF_ROLE_JANITOR, "janitor-1", 0);
    add(BF_ROLE_GATEWAY, "gateway-1", 0);
    if (gateways != SIM_ONE_GATEWAY)
        add(BF_ROLE_GATEWAY, "gateway-2", gateways == SIM_GATEWAY_AND_STANDBY ? 0 : 4);
    sim_make_keys();
}
