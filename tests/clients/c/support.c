#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define CLOSE_SESSION (-11)
#define TRIES 200

static jmp_buf end_of_check;
static char reason[1000];

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    longjmp(end_of_check, 1);
}

int run_check(const char *name, void (*check)(void)) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int failed = setjmp(end_of_check);
    if (!failed) {
        check();
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    long ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
    printf("%s %s%s%s (%ld ms)\n", failed ? "FAIL" : "PASS", name, failed ? ": " : "", failed ? reason : "", ms);
    fflush(stdout);
    return failed;
}

void expect(int expected, int code, const char *what) {
    if (expected != code) {
        fail("%s: expected %d (%s), got %d (%s)", what, expected, zerror(expected), code, zerror(code));
    }
}

void expect_text(const char *expected, const char *actual, const char *what) {
    if (strcmp(expected, actual) != 0) {
        fail("%s: expected '%s', got '%s'", what, expected, actual);
    }
}

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
    struct session *session = context;
    (void)handle;
    pthread_mutex_lock(&session->lock);
    if (type != ZOO_SESSION_EVENT) {
        if (session->events < MAX_EVENTS) {
            snprintf(session->event[session->events], sizeof session->event[0], "%d %s", type, path);
        }
        session->events++;
    } else if (state == ZOO_CONNECTED_STATE) {
        session->connected++;
    } else if (state == ZOO_EXPIRED_SESSION_STATE) {
        session->expired = 1;
    }
    pthread_cond_broadcast(&session->changed);
    pthread_mutex_unlock(&session->lock);
}

struct session *session_open(const char *servers, const clientid_t *id) {
    struct session *session = calloc(1, sizeof *session);
    pthread_mutex_init(&session->lock, NULL);
    pthread_cond_init(&session->changed, NULL);
    session->handle = zookeeper_init(servers, watcher, TIMEOUT_MS, id, session, 0);
    if (session->handle == NULL) {
        fail("zookeeper_init: %s", strerror(errno));
    }
    session_await_connected(session, 0);
    return session;
}

void session_close(struct session *session) {
    zookeeper_close(session->handle);
    free(session);
}

/* Waits until *value is at least `least`. The session's lock is not held by the caller. */
static void await(struct session *session, int *value, int least, const char *what) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += WAIT_SECONDS;
    int waited = 0;
    pthread_mutex_lock(&session->lock);
    while (*value < least && waited == 0) {
        waited = pthread_cond_timedwait(&session->changed, &session->lock, &deadline);
    }
    int got = *value;
    pthread_mutex_unlock(&session->lock);
    if (got < least) {
        fail("%s: %d within %d s, waiting for %d", what, got, WAIT_SECONDS, least);
    }
}

void session_await_connected(struct session *session, int before) {
    await(session, &session->connected, before + 1, "connections");
}

void session_await_expired(struct session *session) {
    await(session, &session->expired, 1, "expired");
}

void session_await_events(struct session *session, int count) {
    await(session, &session->events, count, "events");
    pthread_mutex_lock(&session->lock);
    int got = session->events;
    pthread_mutex_unlock(&session->lock);
    expect(count, got, "events");
}

int session_has_event(struct session *session, int type, const char *path) {
    char wanted[300];
    snprintf(wanted, sizeof wanted, "%d %s", type, path);
    int found = 0;
    pthread_mutex_lock(&session->lock);
    for (int i = 0; i < session->events && i < MAX_EVENTS; i++) {
        found |= strcmp(session->event[i], wanted) == 0;
    }
    pthread_mutex_unlock(&session->lock);
    return found;
}

struct sync_reply {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done;
    int code;
};

static void synced(int code, const char *path, const void *context) {
    struct sync_reply *reply = (struct sync_reply *)context;
    (void)path;
    pthread_mutex_lock(&reply->lock);
    reply->code = code;
    reply->done = 1;
    pthread_cond_signal(&reply->changed);
    pthread_mutex_unlock(&reply->lock);
}

void session_sync(struct session *session, const char *path) {
    struct sync_reply reply = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    expect(ZOK, zoo_async(session->handle, path, synced, &reply), "zoo_async");
    pthread_mutex_lock(&reply.lock);
    while (!reply.done) {
        pthread_cond_wait(&reply.changed, &reply.lock);
    }
    pthread_mutex_unlock(&reply.lock);
    expect(ZOK, reply.code, "sync");
}

static void put_int(unsigned char **at, uint32_t host_order) {
    uint32_t value = htonl(host_order);
    memcpy(*at, &value, 4);
    *at += 4;
}

static void put_long(unsigned char **at, uint64_t value) {
    put_int(at, (uint32_t)(value >> 32));
    put_int(at, (uint32_t)value);
}

/*
 * Sends a ConnectRequest for the session, and a closeSession after it if that is wanted, over a connection of its
 * own. Returns the timeout in the reply, which is 0 for a session that is over, or -1 when there was no reply.
 */
static int attach(const char *servers, struct session *session, int and_close) {
    const clientid_t *id = zoo_client_id(session->handle);
    char host[100];
    int port;
    if (sscanf(servers, "%99[^:]:%d", host, &port) != 2) {
        fail("no address in '%s'", servers);
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fail("'%s' is not an IPv4 address", host);
    }
    unsigned char request[49 + 12], reply[12], *at = request;
    put_int(&at, 45);
    put_int(&at, 0);  /* protocol version */
    put_long(&at, 0); /* last zxid seen */
    put_int(&at, TIMEOUT_MS);
    put_long(&at, (uint64_t)id->client_id);
    put_int(&at, sizeof id->passwd);
    memcpy(at, id->passwd, sizeof id->passwd);
    at += sizeof id->passwd;
    *at++ = 0; /* not read-only */
    if (and_close) {
        put_int(&at, 8);
        put_int(&at, 1);
        put_int(&at, CLOSE_SESSION);
    }
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {2, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int answered = connect(connection, (struct sockaddr *)&address, sizeof address) == 0
        && send(connection, request, at - request, MSG_NOSIGNAL) == at - request
        && recv(connection, reply, sizeof reply, MSG_WAITALL) == (ssize_t)sizeof reply;
    close(connection);
    uint32_t timeout;
    memcpy(&timeout, reply + 8, sizeof timeout);
    return answered ? (int)ntohl(timeout) : -1;
}

/* It is tried again when the owner, coming back at once, gets in between: a server then drops either of the two. */
void session_move(const char *servers, struct session *session) {
    for (int tries = 0; attach(servers, session, 0) <= 0; tries++) {
        if (tries == TRIES) {
            fail("the session was refused to its second holder");
        }
        usleep(10000);
    }
}

void session_kill(const char *servers, struct session *session) {
    for (int tries = 0; attach(servers, session, 1) != 0; tries++) {
        if (tries == TRIES) {
            fail("the session could not be ended");
        }
        usleep(10000);
    }
}
