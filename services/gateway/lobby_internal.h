/* Shared by the lobby's own files only. Everything under its lock. */
#ifndef BELFRY_GATEWAY_LOBBY_INTERNAL_H
#define BELFRY_GATEWAY_LOBBY_INTERNAL_H

#include <pthread.h>

#include "gateway/lobby.h"

#define BF_LOBBY_BUCKETS 4096
#define BF_LOBBY_ADDRESS_SLOTS 1024

enum bf_lobby_place { BF_LOBBY_WAITS, BF_LOBBY_READY, BF_LOBBY_SERVED };

struct bf_lobby_entry {
    struct bf_connection c; /* first, so that one is the other */
    enum bf_lobby_place place;
    bool asked_to_end;
    size_t seen; /* bytes of its header that have been looked at */
    uint64_t since_ms;
    struct bf_lobby_entry *before, *after; /* in its list */
    struct bf_lobby_entry *next;           /* in its bucket, while it is served; of the unused ones */
};

struct bf_lobby_list {
    struct bf_lobby_entry *first, *last;
    unsigned n;
};

struct bf_lobby {
    pthread_mutex_t lock;
    pthread_cond_t moved; /* the door has been taken over, or nobody is served any more */
    struct bf_lobby_options options;
    int listener, epoll_fd, bell, timer;
    bool timer_runs, listening, rung;
    bool shut;  /* nobody comes in any more */
    bool ended; /* the bell rings for good */

    struct bf_lobby_entry *pool, *unused;
    struct bf_lobby_list waits, ready, served;
    struct bf_lobby_entry *buckets[BF_LOBBY_BUCKETS]; /* of those served, by client */
    uint16_t waiting_of[BF_LOBBY_ADDRESS_SLOTS];      /* by address; those that share a slot share their fate */
    char *header;
};

/* lobby_door.c: who comes in, and who waits until when */
int bf_lobby_watch(struct bf_lobby *l, int fd, uint32_t events, void *what);
void bf_lobby_start_timer(struct bf_lobby *l, uint64_t in_ms);
void bf_lobby_listen(struct bf_lobby *l);
void bf_lobby_stop_listening(struct bf_lobby *l);
void bf_lobby_take_events(struct bf_lobby *l);
void bf_lobby_end(struct bf_lobby *l, struct bf_lobby_entry *e); /* of a connection that no worker has */

/* lobby.c */
void bf_lobby_append(struct bf_lobby_list *list, struct bf_lobby_entry *e);
void bf_lobby_take_out(struct bf_lobby_list *list, struct bf_lobby_entry *e);
void bf_lobby_forget(struct bf_lobby *l, struct bf_lobby_entry *e);
void bf_lobby_tell(struct bf_lobby *l, enum bf_lobby_event event);

#endif
