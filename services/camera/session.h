/* One session as this camera will run it: what the gateway asked for over what is configured. Plain values, no pointers
 * into messages or configuration. */
#ifndef BELFRY_CAMERA_SESSION_H
#define BELFRY_CAMERA_SESSION_H

#include "base/error.h"
#include "base/id.h"
#include "bus/keys.h"
#include "media/transport.h"
#include "service/config.h"

#include "camera.pb-c.h"

/* Where its media go. */
struct bf_camera_endpoint {
    enum bf_transport_kind transport;
    char host[256];
    uint16_t port;
    unsigned latency_ms;
    char passphrase[BF_PASSPHRASE_SIZE]; /* "" for none */
};

struct bf_camera_session {
    char id[BF_ULID_SIZE];
    uint32_t width, height, fps, bitrate_kbps, gop_ms;
    struct bf_camera_endpoint endpoint;
};

/* Zero in `m` means the configured default. The media key is opened with `key`. Values beyond the configured limits, a
 * missing endpoint or a media key that is not for us are refused: -EINVAL, -EBADMSG. */
int bf_camera_session_make(struct bf_camera_session *ret, const Belfry__V1__CameraSession *m,
                           const struct bf_camera_config *config, const struct bf_key *key, struct bf_error *e);
void bf_camera_session_wipe(struct bf_camera_session *s);

/* The endpoint alone, for a session that runs already. */
int bf_camera_endpoint_make(struct bf_camera_endpoint *ret, const Belfry__V1__CameraSession *m,
                            const struct bf_key *key, struct bf_error *e);
bool bf_camera_endpoint_same(const struct bf_camera_endpoint *a, const struct bf_camera_endpoint *b);
void bf_camera_endpoint_wipe(struct bf_camera_endpoint *t);

uint32_t bf_camera_session_gop_frames(const struct bf_camera_session *s); /* at least 1 */

#endif
