/* What must hold in the media directory: of every session, when the janitor deletes a file of it, and at the end. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sim.h"
#include "stream/layout.h"

static void closedirp(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

static bool exists(const char *camera, const char *session, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "media/%s/%s/%s", camera, session, name);
    return access(path, F_OK) == 0;
}

static bool settled_camera(const char *camera, char *why, size_t size)
{
    char path[200];

    snprintf(path, sizeof path, "media/%s", camera);
    _cleanup_(closedirp) DIR *d = opendir(path);
    for (struct dirent *entry; d != NULL && (entry = readdir(d)) != NULL;)
        if (entry->d_name[0] != '.' && !exists(camera, entry->d_name, BF_RECORDING_NAME)) {
            snprintf(why, size, "session %s of %s is neither purged nor archived", entry->d_name, camera);
            return false;
        }
    return true;
}

bool sim_sessions_settled(char *why, size_t size)
{
    return settled_camera("cam-1", why, size) && settled_camera("cam-2", why, size);
}

bool sim_is_recording(const struct sim_session *s)
{
    return exists(s->camera, s->id, BF_RECORDING_NAME);
}

/* --- what lies under a session's address --- */

static FILE *open_file(const struct sim_session *s, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "media/%s/%s/%s", s->camera, s->id, name);
    return fopen(path, "re");
}

/* Every part says who sent it. Of one that was torn by a crash only the beginning is left, or what is not a part. */
static void check_parts(const struct sim_session *s, const char *name, bool may_be_torn)
{
    _cleanup_(bf_fclosep) FILE *f = open_file(s, name);
    char part[SIM_PART_SIZE] = "", expected[SIM_PART_SIZE] = "";
    size_t size;

    snprintf(expected, sizeof expected, "%s %s\n", s->camera, s->id);
    while (f != NULL && (size = fread(part, 1, sizeof part, f)) > 0) {
        bool is_part = size == sizeof part && strncmp(part, "cam-", 4) == 0;
        if ((is_part || !may_be_torn) && (size < sizeof part || memcmp(part, expected, sizeof part) != 0))
            sim_violate("%s of session %s holds \"%.40s\"", name, s->id, part);
    }
}

void sim_check_removal(const char *id, const char *name)
{
    const struct sim_session *s = sim_session(id);

    if (s == NULL || strncmp(name, "seg-", 4) != 0)
        return;
    check_parts(s, name, true);
    if (s->record && s->told_live && s->segments > 0 && !s->delete_asked)
        sim_violate("the janitor deletes %s of session %s, which is recorded and was live", name, id);
}

/* --- recordings --- */

/* Segments that its playlist names, each of which must be there and whole. */
static unsigned check_segments(const struct sim_session *s)
{
    _cleanup_(bf_fclosep) FILE *f = open_file(s, BF_VOD_PLAYLIST_NAME);
    char line[256];
    unsigned n = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "seg-", 4) != 0)
            continue;
        n++;
        if (!exists(s->camera, s->id, line))
            sim_violate("recording %s names %s, which is not there", s->id, line);
        check_parts(s, line, false);
    }
    return n;
}

static void check_session(const struct sim_session *s)
{
    bool archived = sim_is_recording(s);

    if (s->record && s->told_live && s->segments > 0 && !archived && !s->delete_asked)
        sim_violate("session %s of %s was recorded and live, with %u segments, and is no recording", s->id, s->camera,
                    s->segments);
    if (archived && !s->record)
        sim_violate("session %s of %s is a recording, which nobody asked for", s->id, s->camera);
    if (archived && s->delete_told)
        sim_violate("recording %s is there, which was said to be deleted", s->id);
    unsigned there = archived ? check_segments(s) : 0;
    if (archived && there < s->segments)
        sim_violate("recording %s has lost segments: %u were finalised, %u are there", s->id, s->segments, there);
}

void sim_check_recordings(void)
{
    for (size_t i = 0; i < sim.n_sessions; i++)
        check_session(&sim.sessions[i]);
}
