/*
 * Checks ZooKeeper's C client (libzookeeper_mt): zookeeper_client CONNECT_STRING BASE_PATH [PART_OF_A_NAME]
 * Prints "PASS name" or "FAIL name: why"; the exit code is 0, 1 when something failed, 2 when nothing ran.
 * The servers' hosts must be IPv4 addresses. Everything happens in a folder of its own below the base path.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#define PATH_SIZE 300
#define ASYNCHRONOUS 1000

static const char *program;
static const char *servers;
static char root[PATH_SIZE];
/*
 * Whether a watch must not fire for nothing after a reconnect. In a mount it may: what the client has seen of that
 * cluster its request does not tell, and an event too many is better than one lost.
 */
static int exact;
static struct session *client;

static const char *below(char *buffer, const char *name) {
    snprintf(buffer, PATH_SIZE, "%s/%s", root, name);
    return buffer;
}

static void create(struct session *session, const char *path, int mode, char *made) {
    char unused[PATH_SIZE];
    expect(ZOK, zoo_create(session->handle, path, "x", 1, &ZOO_OPEN_ACL_UNSAFE, mode,
                           made ? made : unused, PATH_SIZE), path);
}

static void check_nodes_of_every_kind(void) {
    char folder[PATH_SIZE], path[PATH_SIZE + 20], made[PATH_SIZE], expected[PATH_SIZE + 20];
    struct Stat stat, read;
    create(client, below(folder, "kinds"), ZOO_PERSISTENT, made);
    expect_text(folder, made, "created path");
    snprintf(path, sizeof path, "%s/s-", folder);
    snprintf(expected, sizeof expected, "%s/s-0000000000", folder);
    create(client, path, ZOO_PERSISTENT_SEQUENTIAL, made);
    expect_text(expected, made, "sequential path");
    snprintf(path, sizeof path, "%s/e", folder);
    expect(ZOK, zoo_create2(client->handle, path, "data", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL,
                            made, sizeof made, &stat), "create2");
    expect(ZOK, zoo_exists(client->handle, path, 0, &read), "exists");
    expect(1, read.czxid == stat.czxid && read.dataLength == 4, "the stat is the one in the create's reply");
    expect(1, read.ephemeralOwner == zoo_client_id(client->handle)->client_id, "the owner is the session");
    snprintf(path, sizeof path, "%s/c", folder);
    create(client, path, ZOO_CONTAINER, made);

    struct String_vector children;
    expect(ZOK, zoo_get_children2(client->handle, folder, 0, &children, &stat), "children");
    expect(3, children.count, "number of children");
    expect(3, stat.numChildren, "number of children in the stat");
    deallocate_String_vector(&children);
}

static void check_data_is_kept(void) {
    char path[PATH_SIZE];
    const int size = 1000000;
    char *data = malloc(size), *read = malloc(size);
    struct Stat stat;
    create(client, below(path, "data"), ZOO_PERSISTENT, NULL);
    for (int i = 0; i < size; i++) {
        data[i] = (char)i;
    }
    const int lengths[] = {0, 1, size};
    for (int i = 0; i < 3; i++) {
        int got = size;
        expect(ZOK, zoo_set2(client->handle, path, data, lengths[i], i, &stat), "set");
        expect(i + 1, stat.version, "version after set");
        expect(ZOK, zoo_get(client->handle, path, 0, read, &got, &stat), "get");
        expect(lengths[i], got, "length");
        expect(0, memcmp(data, read, lengths[i]), "bytes that differ");
    }
    int got = size;
    expect(ZOK, zoo_set(client->handle, path, NULL, -1, -1), "set null");
    expect(ZOK, zoo_get(client->handle, path, 0, read, &got, &stat), "get null");
    expect(-1, got, "length of null");
    free(data);
    free(read);
}

static void check_errors(void) {
    char path[PATH_SIZE], none[PATH_SIZE], child[PATH_SIZE], buffer[PATH_SIZE];
    int length = sizeof buffer;
    struct ACL_vector no_acl = {0, NULL};
    create(client, below(path, "errors"), ZOO_PERSISTENT, NULL);
    create(client, below(child, "errors/e"), ZOO_EPHEMERAL, NULL);
    below(none, "errors/none");
    expect(ZNONODE, zoo_get(client->handle, none, 0, buffer, &length, NULL), "get of none");
    expect(ZNONODE, zoo_exists(client->handle, none, 0, NULL), "exists of none");
    expect(ZNODEEXISTS, zoo_create(client->handle, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), "create again");
    expect(ZNOTEMPTY, zoo_delete(client->handle, path, -1), "delete of a parent");
    expect(ZBADVERSION, zoo_set(client->handle, path, "", 0, 7), "set of a wrong version");
    expect(ZNOCHILDRENFOREPHEMERALS, zoo_create(client->handle, below(buffer, "errors/e/x"), "", 0,
                                                &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), "create below an ephemeral");
    expect(ZINVALIDACL, zoo_create(client->handle, none, "", 0, &no_acl, 0, NULL, 0), "create without an ACL");
    expect(ZNOWATCHER, zoo_remove_watches(client->handle, path, ZWATCHTYPE_ANY, NULL, NULL, 0), "remove no watch");
}

static void check_multi(void) {
    char path[PATH_SIZE], sequential[PATH_SIZE], none[PATH_SIZE], made[2][PATH_SIZE], expected[PATH_SIZE + 20];
    struct Stat stat;
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    below(path, "multi");
    below(sequential, "multi/s-");
    below(none, "multi/none");
    zoo_create_op_init(&ops[0], path, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, made[0], PATH_SIZE);
    zoo_create_op_init(&ops[1], sequential, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, made[1], PATH_SIZE);
    zoo_set_op_init(&ops[2], path, "2", 1, 0, &stat);
    zoo_check_op_init(&ops[3], path, 1);
    expect(ZOK, zoo_multi(client->handle, 4, ops, results), "multi");
    expect_text(path, made[0], "the first path");
    snprintf(expected, sizeof expected, "%s0000000000", sequential);
    expect_text(expected, made[1], "the sequential path");
    expect(1, stat.version, "version after the set");

    zoo_set_op_init(&ops[0], path, "3", 1, -1, NULL);
    zoo_check_op_init(&ops[1], none, 0);
    zoo_delete_op_init(&ops[2], path, -1);
    expect(ZNONODE, zoo_multi(client->handle, 3, ops, results), "a multi that cannot be");
    expect(ZOK, results[0].err, "code of the first");
    expect(ZNONODE, results[1].err, "code of the offender");
    expect(ZRUNTIMEINCONSISTENCY, results[2].err, "code of the one after it");
    expect(ZOK, zoo_exists(client->handle, path, 0, &stat), "exists");
    expect(1, stat.version, "version, as nothing was done");
}

struct order {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int next;    /* the number of the reply that is due */
    int wrong;   /* replies out of turn or with a wrong version */
};

static struct order order = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void replied(int code, const struct Stat *stat, const void *context) {
    int number = (int)(long)context;
    pthread_mutex_lock(&order.lock);
    /* Even numbers write, odd ones look: both must show exactly the writes sent before. */
    order.wrong += code != ZOK || number != order.next || stat->version != number / 2 + 1;
    order.next++;
    pthread_cond_signal(&order.changed);
    pthread_mutex_unlock(&order.lock);
}

static void check_asynchronous_replies_come_in_order(void) {
    char path[PATH_SIZE];
    create(client, below(path, "order"), ZOO_PERSISTENT, NULL);
    for (long i = 0; i < ASYNCHRONOUS; i++) {
        expect(ZOK, i % 2 == 0 ? zoo_aset(client->handle, path, "y", 1, -1, replied, (void *)i)
                               : zoo_aexists(client->handle, path, 0, replied, (void *)i), "send");
    }
    pthread_mutex_lock(&order.lock);
    while (order.next < ASYNCHRONOUS) {
        pthread_cond_wait(&order.changed, &order.lock);
    }
    pthread_mutex_unlock(&order.lock);
    expect(0, order.wrong, "wrong replies");
}

static void check_watches_fire_once(void) {
    char path[PATH_SIZE], child[PATH_SIZE], buffer[10];
    int length = sizeof buffer;
    struct String_vector children;
    create(client, below(path, "watched"), ZOO_PERSISTENT, NULL);
    below(child, "watched/child");
    struct session *reader = session_open(servers, NULL);
    session_sync(reader, path);
    expect(ZOK, zoo_get(reader->handle, path, 1, buffer, &length, NULL), "get");
    expect(ZOK, zoo_get_children(reader->handle, path, 1, &children), "children");
    deallocate_String_vector(&children);
    expect(ZNONODE, zoo_exists(reader->handle, child, 1, NULL), "exists");
    for (int i = 0; i < 2; i++) {
        expect(ZOK, zoo_set(client->handle, path, "z", 1, -1), "set");
        create(client, child, ZOO_PERSISTENT, NULL);
        expect(ZOK, zoo_delete(client->handle, child, -1), "delete");
    }
    session_sync(reader, path);
    session_await_events(reader, 3);
    expect(1, session_has_event(reader, ZOO_CHANGED_EVENT, path), "changed");
    expect(1, session_has_event(reader, ZOO_CHILD_EVENT, path), "children changed");
    expect(1, session_has_event(reader, ZOO_CREATED_EVENT, child), "created");
    session_close(reader);
}

static void check_watches_survive_a_reconnect(void) {
    char changed[PATH_SIZE], gone[PATH_SIZE], made[PATH_SIZE], quiet[PATH_SIZE], own[PATH_SIZE];
    create(client, below(changed, "changed"), ZOO_PERSISTENT, NULL);
    create(client, below(gone, "gone"), ZOO_PERSISTENT, NULL);
    create(client, below(quiet, "quiet"), ZOO_PERSISTENT, NULL);
    create(client, below(own, "own"), ZOO_PERSISTENT, NULL);
    below(made, "made");
    struct session *reader = session_open(servers, NULL);
    session_sync(reader, root);
    int64_t id = zoo_client_id(reader->handle)->client_id;
    expect(ZOK, zoo_exists(reader->handle, changed, 1, NULL), "exists");
    expect(ZOK, zoo_exists(reader->handle, gone, 1, NULL), "exists");
    expect(ZOK, zoo_exists(reader->handle, quiet, 1, NULL), "exists");
    expect(ZNONODE, zoo_exists(reader->handle, made, 1, NULL), "exists");

    session_move(servers, reader);
    expect(ZOK, zoo_set(client->handle, changed, "z", 1, -1), "set");
    expect(ZOK, zoo_delete(client->handle, gone, -1), "delete");
    create(client, made, ZOO_PERSISTENT, NULL);
    /* A write finds out about the move, at the latest; it fails with the connection and is sent again. */
    int code;
    while ((code = zoo_set(reader->handle, own, "z", 1, -1)) == ZCONNECTIONLOSS || code == ZINVALIDSTATE) {
        usleep(10000);
    }
    expect(ZOK, code, "set after the reconnect");
    session_await_connected(reader, 1);
    expect(1, id == zoo_client_id(reader->handle)->client_id, "the session is the same");
    if (exact) {
        session_await_events(reader, 3);
    }
    expect(ZOK, zoo_set(client->handle, quiet, "z", 1, -1), "set");
    session_await_events(reader, 4);
    expect(1, session_has_event(reader, ZOO_CHANGED_EVENT, changed), "changed");
    expect(1, session_has_event(reader, ZOO_DELETED_EVENT, gone)
        || (!exact && session_has_event(reader, ZOO_CHANGED_EVENT, gone)), "deleted");
    expect(1, session_has_event(reader, ZOO_CREATED_EVENT, made), "created");
    expect(1, session_has_event(reader, ZOO_CHANGED_EVENT, quiet), "changed afterwards");
    session_close(reader);
}

/*
 * What a second process does for the check below: opens a session, makes an ephemeral, prints the session's id and
 * password and is gone without closing it.
 */
static int abandon(const char *path) {
    struct session *session = session_open(servers, NULL);
    create(session, path, ZOO_EPHEMERAL, NULL);
    const clientid_t *id = zoo_client_id(session->handle);
    printf("%lld ", (long long)id->client_id);
    for (size_t i = 0; i < sizeof id->passwd; i++) {
        printf("%02x", (unsigned char)id->passwd[i]);
    }
    printf("\n");
    fflush(stdout);
    _exit(0);
}

static void check_abandoned_session_is_taken_over_with_its_ephemerals(void) {
    char path[PATH_SIZE], command[4 * PATH_SIZE], password[2 * sizeof(((clientid_t *)0)->passwd) + 1];
    long long number;
    struct Stat stat;
    clientid_t id;
    snprintf(command, sizeof command, "%s '%s' '%s' --abandon", program, servers, below(path, "ephemeral"));
    FILE *process = popen(command, "r");
    if (process == NULL || fscanf(process, "%lld %32s", &number, password) != 2) {
        fail("the other process said nothing");
    }
    pclose(process);
    id.client_id = number;
    for (size_t i = 0; i < sizeof id.passwd; i++) {
        unsigned int byte;
        sscanf(password + 2 * i, "%2x", &byte);
        id.passwd[i] = (char)byte;
    }
    struct session *second = session_open(servers, &id);
    expect(1, zoo_client_id(second->handle)->client_id == id.client_id, "the same session");
    expect(ZOK, zoo_exists(second->handle, path, 0, &stat), "exists");
    expect(1, stat.ephemeralOwner == id.client_id, "the owner is the session");
    session_sync(client, path);
    expect(ZOK, zoo_exists(client->handle, path, 1, NULL), "exists for others");
    session_close(second);
    session_await_events(client, 1);
    expect(1, session_has_event(client, ZOO_DELETED_EVENT, path), "it goes with the session");
}

static void check_ended_session_is_told_that_it_expired(void) {
    char path[PATH_SIZE];
    struct session *owner = session_open(servers, NULL);
    create(owner, below(path, "of-the-victim"), ZOO_EPHEMERAL, NULL);
    session_kill(servers, owner);
    session_await_expired(owner);
    session_sync(client, root);
    expect(ZNONODE, zoo_exists(client->handle, path, 0, NULL), "its ephemeral");
    session_close(owner);
}

static void authenticated(int code, const void *context) {
    *(volatile int *)context = code;
}

static void check_acls_keep_strangers_out(void) {
    char path[PATH_SIZE], buffer[10];
    int length = sizeof buffer;
    volatile int code = 1;
    struct ACL_vector acl;
    struct session *owner = session_open(servers, NULL);
    expect(ZOK, zoo_add_auth(owner->handle, "digest", "owner:secret", 12, authenticated, (void *)&code), "add auth");
    expect(ZOK, zoo_create(owner->handle, below(path, "acl"), "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), "create");
    expect(ZOK, code, "the auth's reply, which comes before the create's");
    expect(ZOK, zoo_get_acl(owner->handle, path, &acl, NULL), "get ACL");
    expect(1, acl.count, "number of ACLs");
    expect_text("digest", acl.data[0].id.scheme, "scheme");
    deallocate_ACL_vector(&acl);
    session_sync(client, root);
    expect(ZNOAUTH, zoo_get(client->handle, path, 0, buffer, &length, NULL), "get by a stranger");
    expect(ZNOAUTH, zoo_set(client->handle, path, "", 0, -1), "set by a stranger");
    expect(ZOK, zoo_set_acl(owner->handle, path, 0, &ZOO_READ_ACL_UNSAFE), "set ACL");
    session_sync(client, path);
    length = sizeof buffer;
    expect(ZOK, zoo_get(client->handle, path, 0, buffer, &length, NULL), "get by anyone");
    session_close(owner);
}

/* Deletes the node and everything below it. */
static void delete_all(const char *path) {
    struct String_vector children;
    if (zoo_get_children(client->handle, path, 0, &children) != ZOK) {
        return;
    }
    for (int i = 0; i < children.count; i++) {
        char child[2 * PATH_SIZE];
        snprintf(child, sizeof child, "%s/%s", path, children.data[i]);
        delete_all(child);
    }
    deallocate_String_vector(&children);
    zoo_delete(client->handle, path, -1);
}

static void open_client(void) {
    client = session_open(servers, NULL);
    create(client, root, ZOO_PERSISTENT, NULL);
}

static void close_client(void) {
    delete_all(root);
    session_close(client);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*check)(void);
    } checks[] = {
        {"nodes_of_every_kind", check_nodes_of_every_kind},
        {"data_is_kept", check_data_is_kept},
        {"errors_are_the_servers_own", check_errors},
        {"multi_is_all_or_nothing", check_multi},
        {"asynchronous_replies_come_in_order", check_asynchronous_replies_come_in_order},
        {"watches_fire_once", check_watches_fire_once},
        {"watches_survive_a_reconnect", check_watches_survive_a_reconnect},
        {"abandoned_session_is_taken_over_with_its_ephemerals",
         check_abandoned_session_is_taken_over_with_its_ephemerals},
        {"ended_session_is_told_that_it_expired", check_ended_session_is_told_that_it_expired},
        {"acls_keep_strangers_out", check_acls_keep_strangers_out},
    };
    if (count < 3) {
        fprintf(stderr, "usage: %s CONNECT_STRING BASE_PATH [PART_OF_A_NAME]\n", arguments[0]);
        return 2;
    }
    program = arguments[0];
    servers = arguments[1];
    zoo_set_debug_level(0);
    if (count == 4 && strcmp(arguments[3], "--abandon") == 0) {
        return abandon(arguments[2]);
    }
    exact = strcmp(arguments[2], "/") == 0;
    snprintf(root, sizeof root, "%s/c-%d-%ld", exact ? "" : arguments[2], getpid(), (long)time(NULL));
    if (run_check("connects", open_client)) {
        return 1;
    }
    int ran = 0, failed = 0;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (count < 4 || strstr(checks[i].name, arguments[3])) {
            ran++;
            failed += run_check(checks[i].name, checks[i].check);
        }
    }
    failed += run_check("closes", close_client);
    printf("%d passed, %d failed\n", ran + 2 - failed, failed);
    return ran == 0 ? 2 : failed ? 1 : 0;
}
