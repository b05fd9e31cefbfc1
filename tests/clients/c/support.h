/* What the C client's checks share: connecting, waiting, and saying what failed. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <pthread.h>
#include <stdio.h>
#include <zookeeper/zookeeper.h>

#define WAIT_SECONDS 20
#define MAX_EVENTS 64

/* A session and everything that it was told. The lock guards all but handle. */
struct session {
    zhandle_t *handle;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int connected; /* how often it has become connected */
    int expired;
    int events;
    char event[MAX_EVENTS][300]; /* "type path" */
};

/* Fails the running check: prints why and jumps out of it. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Fails the check when the code is not the expected one. */
void expect(int expected, int code, const char *what);

void expect_text(const char *expected, const char *actual, const char *what);

/* Opens a session, or attaches to another's when id is not NULL, and waits until it is connected. */
struct session *session_open(const char *servers, const clientid_t *id);

/* Closes the session and frees it. */
void session_close(struct session *session);

/* Waits until the session has become connected more than `before` times. */
void session_await_connected(struct session *session, int before);

void session_await_expired(struct session *session);

/* Waits for the given number of events, and checks that there are no more than that. */
void session_await_events(struct session *session, int count);

/* Whether one of the events was "type path". */
int session_has_event(struct session *session, int type, const char *path);

/* Waits until the session reads at least what anyone had written before. */
void session_sync(struct session *session, const char *path);

/*
 * Takes the session's connection away, but not the session: attaches to it over a socket of its own, as any
 * second holder of id and password may, and lets go again.
 */
void session_move(const char *servers, struct session *session);

/* Ends the session for good: attaches and closes it, as its owner would, until nobody can attach any more. */
void session_kill(const char *servers, struct session *session);

/* Runs the check and prints PASS or FAIL. Returns 1 when it failed. */
int run_check(const char *name, void (*check)(void));

#endif
