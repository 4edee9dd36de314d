/* belfryctl start, stop, status: their command lines. */
#include "base/cleanup.h"
#include "belfryctl/stream_request.h"
#include "stream/profile.h"

static int parse_and_run(struct ctl_stream_request *r, struct ctl *ctl, const struct ctl_usage *usage, int argc,
                         char **argv)
{
    int word = ctl_parse(ctl, usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);
    if (r->profile != NULL && bf_profile_named(r->profile) == NULL) {
        ctl_complain("--profile %s: expected realtime, balanced or economy", r->profile);
        return CTL_USAGE;
    }
    r->camera = word < argc ? argv[word] : NULL;
    if (r->camera != NULL && ctl_check_id("camera", r->camera) < 0)
        return CTL_USAGE;
    return ctl_stream_request(r, ctl);
}

#define EXIT_HELP                                                                                                      \
    "Exit status: 0 done, 1 refused or failed, 69 no broker or gateway, 75 not in time, 78 site or keys.\n"

int ctl_cmd_start(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_stream_request r = { .action = CTL_STREAM_START, .timeout_ms = 20000 };
    const struct ctl_option options[] = {
        { "record", CTL_FLAG, &r.record, NULL, "keep a recording", 0, 0 },
        { "width", CTL_NUMBER, &r.width, "N", "pixels", 64, 4096 },
        { "height", CTL_NUMBER, &r.height, "N", "pixels", 64, 4096 },
        { "fps", CTL_NUMBER, &r.fps, "N", "frames a second", 1, 120 },
        { "bitrate-kbps", CTL_NUMBER, &r.bitrate_kbps, "N", "1000 bits a second", 64, 50000 },
        { "gop-ms", CTL_NUMBER, &r.gop_ms, "N", "distance of independent frames; at most a segment", 100, 10000 },
        { "profile", CTL_STRING, &r.profile, "WORD", "realtime, balanced or economy", 0, 0 },
        { "gateway", CTL_ID, &r.gateway, "ID", "the gateway to ask (default: the first that is online)", 0, 0 },
        { "node", CTL_ID, &r.operator_node, "ID", "the operator to speak as (default: the first that is free)", 0, 0 },
        { "timeout", CTL_DURATION, &r.timeout_ms, "TIME", "how long to wait (default 20s)", 100, 3600000 },
    };
    const struct ctl_usage usage = {
        "start CAMERA [OPTION]...",
        "Starts a camera's stream, or finds it running, and prints where it plays. What is\n"
        "not given is as belfry.yml has it.\n\n" EXIT_HELP,
        options,
        BF_COUNT_OF(options),
        1,
        1
    };
    return parse_and_run(&r, ctl, &usage, argc, argv);
}

int ctl_cmd_stop(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_stream_request r = { .action = CTL_STREAM_STOP, .timeout_ms = 20000 };
    const struct ctl_option options[] = {
        { "gateway", CTL_ID, &r.gateway, "ID", "the gateway to ask (default: the first that is online)", 0, 0 },
        { "node", CTL_ID, &r.operator_node, "ID", "the operator to speak as (default: the first that is free)", 0, 0 },
        { "timeout", CTL_DURATION, &r.timeout_ms, "TIME", "how long to wait (default 20s)", 100, 3600000 },
    };
    const struct ctl_usage usage = { "stop CAMERA [OPTION]...",
                                     "Stops a camera's stream; one that does not run is a success too.\n\n" EXIT_HELP,
                                     options,
                                     BF_COUNT_OF(options),
                                     1,
                                     1 };
    return parse_and_run(&r, ctl, &usage, argc, argv);
}

int ctl_cmd_status(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_stream_request r = { .action = CTL_STREAM_STATUS, .timeout_ms = 20000 };
    const struct ctl_option options[] = {
        { "json", CTL_FLAG, &r.json, NULL, "one JSON object a line", 0, 0 },
        { "gateway", CTL_ID, &r.gateway, "ID", "the gateway to ask (default: the first that is online)", 0, 0 },
        { "node", CTL_ID, &r.operator_node, "ID", "the operator to speak as (default: the first that is free)", 0, 0 },
        { "timeout", CTL_DURATION, &r.timeout_ms, "TIME", "how long to wait (default 20s)", 100, 3600000 },
    };
    const struct ctl_usage usage = {
        "status [CAMERA] [OPTION]...",
        "Prints camera, phase, online or offline, session, profile and path of each stream.\n\n"
        "Exit status: 0 live (of one camera) or answered (of all), 3 not live, 1 refused, 69 no broker or gateway,\n"
        "75 not in time, 78 site or keys.\n",
        options,
        BF_COUNT_OF(options),
        0,
        1
    };
    return parse_and_run(&r, ctl, &usage, argc, argv);
}
