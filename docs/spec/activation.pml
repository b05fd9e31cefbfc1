/*
 * How mounts come and go without a read missing a barrier (docs/consistency.md, "Changing the graph").
 *
 * Two clusters, A (0) and B (1). View 0 has home A and may mount B, through proxies 0 and 1; view 1 has home B and may
 * mount A, through proxy 2. Each cluster gets one write; each view reads its own copy of each cluster, and copies lag as
 * long as they like. One client per proxy reads what it likes. What must never be: one client saw A's write and then not
 * B's, and another saw B's and then not A's. That is the cycle; everything else here is the protocol that prevents it.
 *
 * Proxy 1 starts while all this goes on (-DSTART), or dies (-DDIE), or is there all the time.
 * Each MUTATION leaves one ingredient out; spin must then find the cycle:
 *   1 a mount is used without acknowledgements     2 only one proxy of a view need acknowledge
 *   3 no fresh barrier after a change of rules      4 a mount is forgotten once one proxy stops
 *   5 the list of live proxies is read too early    6 a proxy that is cut off goes on
 */
#ifndef MUTATION
#define MUTATION 0
#endif

#define VIEW(p)   ((p) / 2)
#define OTHER(v)  (1 - (v))
#define AT(c, v)  ((c) * 2 + (v))
#define ACK(c, p) ((c) * 3 + (p))

/* states of a mount as its view publishes it; they only grow */
#define NOTHING   0
#define JOINING   1   /* and active: the same to others */
#define LEAVING   2
#define LEFT      3
#define FORGOTTEN 4
#define EDGE(s)   ((s) >= JOINING && (s) <= LEFT)

/* the mount table */
#define T_NONE    0
#define T_JOINING 1
#define T_ACTIVE  2
#define T_LEAVING 3
#define T_GONE    4

/*
 * The clusters' data. In each view it matters only whether a client sees the write of one cluster (FIRST) and then misses
 * that of the other (SECOND); views 0 and 1 have it the other way round. A write may be seen as soon as it is committed; the
 * view's copy of SECOND may lag.
 */
#ifndef FIRST0
#define FIRST0 1          /* 1: each client sees the remote write first; 0: its home's */
#endif
#define FIRST(v)  ((v) == 0 -> FIRST0 : 1 - FIRST0)
#define SECOND(v) ((v) == 0 -> 1 - FIRST0 : FIRST0)
bit committed[2];
bit copied[2];            /* the view's copy of SECOND has its write */

/* records: one per view, a copy in the folder of each cluster */
bit present[4];           /* AT(cluster, view) */
byte state[4];            /* AT(cluster, view): the view's mount */
byte acked[6];            /* ACK(cluster, proxy): what the proxy has taken up of the other view's mount */
byte acked_own[6];        /* ... and of its own view's */
bit listed[2];            /* per cluster: proxy 1 is in view 0's list of live proxies there */
bit gone[2];              /* ... has been taken off it again */

byte table[2];
bit live1;                /* proxy 1's ephemeral znode in A */
bit snapshot[3];          /* what a proxy last read of that */
bit looked[3];            /* ... and that it did so after it took up what it is to acknowledge */

/* what each proxy's data path follows */
bit serving[3];
bit coupled[3];
bit using[3];
byte taken[3];            /* of the other view's mount */
byte taken_own[3];
bit taken_any[3];         /* whether a record of the other view was known */
bit must[3];              /* the next read of SECOND needs a barrier whatever was learned */
bit seen[3];              /* what each proxy's client has learned: FIRST's write */
bit covers[3];            /* the proxy's last barrier on SECOND began after FIRST's write was known to it */
bit missed[2];            /* a client of the view has seen FIRST's write and then not SECOND's */

inline read_first(i_p, i_v) {
    seen[i_p] = 1
}

inline read_second(i_p, i_v) {
    if
    :: must[i_p] || (coupled[i_p] && seen[i_p] && !covers[i_p]) ->
        copied[i_v] = committed[SECOND(i_v)];
        covers[i_p] = seen[i_p];
        must[i_p] = 0
    :: else
    fi;
    if
    :: seen[i_p] && !copied[i_v] -> missed[i_v] = 1
    :: else
    fi;
    assert(!(missed[0] && missed[1]))
}

inline copy(i_from, i_to, i_v) {
    present[AT(i_to, i_v)] = 1;
    state[AT(i_to, i_v)] = (state[AT(i_from, i_v)] > state[AT(i_to, i_v)] -> state[AT(i_from, i_v)] : state[AT(i_to, i_v)]);
    if
    :: i_v == 0 ->
        acked[ACK(i_to, 0)] = (acked[ACK(i_from, 0)] > acked[ACK(i_to, 0)] -> acked[ACK(i_from, 0)] : acked[ACK(i_to, 0)]);
        acked[ACK(i_to, 1)] = (acked[ACK(i_from, 1)] > acked[ACK(i_to, 1)] -> acked[ACK(i_from, 1)] : acked[ACK(i_to, 1)]);
        acked_own[ACK(i_to, 0)] = (acked_own[ACK(i_from, 0)] > acked_own[ACK(i_to, 0)] -> acked_own[ACK(i_from, 0)] : acked_own[ACK(i_to, 0)]);
        acked_own[ACK(i_to, 1)] = (acked_own[ACK(i_from, 1)] > acked_own[ACK(i_to, 1)] -> acked_own[ACK(i_from, 1)] : acked_own[ACK(i_to, 1)]);
        listed[i_to] = listed[i_to] | listed[i_from];
        gone[i_to] = gone[i_to] | gone[i_from]
    :: else ->
        acked[ACK(i_to, 2)] = (acked[ACK(i_from, 2)] > acked[ACK(i_to, 2)] -> acked[ACK(i_from, 2)] : acked[ACK(i_to, 2)]);
        acked_own[ACK(i_to, 2)] = (acked_own[ACK(i_from, 2)] > acked_own[ACK(i_to, 2)] -> acked_own[ACK(i_from, 2)] : acked_own[ACK(i_to, 2)])
    fi
}

/* The proxies of view v in the list at cluster c have taken up `other' of the other view and `own' of theirs. */
#define COUNTS1(c) (listed[c] && !gone[c] && MUTATION != 2)
#define HAVE0(c, other, own) (acked[ACK(c, 0)] >= (other) && acked_own[ACK(c, 0)] >= (own) \
    && (!COUNTS1(c) || (acked[ACK(c, 1)] >= (other) && acked_own[ACK(c, 1)] >= (own))))
#define HAVE1(c, other, own) (acked[ACK(c, 2)] >= (other) && acked_own[ACK(c, 2)] >= (own))
#define HAVE(c, v, other, own) (((v) == 0 && HAVE0(c, other, own)) || ((v) == 1 && HAVE1(c, other, own)))

#define PUBLISHED(v) (state[AT(OTHER(v), v)] >= JOINING && present[AT(v, OTHER(v))] && state[AT(v, OTHER(v))] >= state[AT(OTHER(v), OTHER(v))])
#define EVERYBODY(v) (HAVE(v, OTHER(v), JOINING, state[AT(v, OTHER(v))]) && HAVE(v, v, state[AT(v, OTHER(v))], JOINING))

#define OWN_IS_NEWER(v, p) (!present[AT(OTHER(v), v)] || state[AT(OTHER(v), v)] < state[AT(v, v)] || acked[ACK(OTHER(v), p)] < acked[ACK(v, p)] || acked_own[ACK(OTHER(v), p)] < acked_own[ACK(v, p)])

inline take_up(i_p, i_v) {
    taken_any[i_p] = present[AT(i_v, OTHER(i_v))];
    taken[i_p] = state[AT(i_v, OTHER(i_v))];
    taken_own[i_p] = state[AT(i_v, i_v)];
    old_coupled = coupled[i_p];
    coupled[i_p] = (EDGE(taken[i_p]) && EDGE(taken_own[i_p])) || taken[i_p] == LEFT || taken_own[i_p] == LEFT;
    old_using = using[i_p];
    using[i_p] = table[i_v] == T_ACTIVE && taken_own[i_p] == JOINING;
    if
    :: MUTATION != 3 && (coupled[i_p] != old_coupled || (using[i_p] && !old_using)) -> must[i_p] = 1
    :: else
    fi;
    old_coupled = 0;
    old_using = 0
}

proctype Proxy(byte p; byte v) {
    bit old_coupled, old_using;
#ifdef START
    if
    :: p == 1 -> d_step { live1 = 1 };
        /* it looks everywhere before it serves anybody */
        d_step { if :: state[AT(v, v)] >= JOINING && present[AT(OTHER(v), OTHER(v))] -> copy(OTHER(v), v, OTHER(v)) :: else fi };
        d_step { take_up(p, v); must[p] = 1; serving[p] = 1 }
    :: else
    fi;
#endif
    do
    /* the client */
    :: d_step { serving[p] && !seen[p] && committed[FIRST(v)] && (FIRST(v) == v || using[p]) -> read_first(p, v) }
    :: d_step { serving[p] && (seen[p] || must[p]) && !missed[v] && (SECOND(v) == v || using[p]) -> read_second(p, v) }
    /* records are carried both ways between home and the mounted cluster */
    :: d_step { serving[p] && state[AT(v, v)] >= JOINING && OWN_IS_NEWER(v, p) -> copy(v, OTHER(v), v) }
    :: d_step { serving[p] && state[AT(v, v)] >= JOINING && present[AT(OTHER(v), OTHER(v))] -> copy(OTHER(v), v, OTHER(v)) }
    /* 1. follow what home's folder says, 2. read who is live, 3. acknowledge */
    :: d_step { serving[p] && (taken_own[p] != state[AT(v, v)] || taken[p] != state[AT(v, OTHER(v))] || using[p] != (table[v] == T_ACTIVE && state[AT(v, v)] == JOINING)) ->
            take_up(p, v);
            if :: MUTATION != 5 -> looked[p] = 0 :: else fi }
    :: d_step { serving[p] && v == 0 && (snapshot[p] != live1 || !looked[p]) -> snapshot[p] = live1; looked[p] = 1 }
    :: d_step { serving[p] && (acked[ACK(v, p)] < taken[p] || acked_own[ACK(v, p)] < taken_own[p] || (v == 0 && snapshot[p] && !listed[v])) && (v == 1 || looked[p]) ->
            acked[ACK(v, p)] = taken[p];
            acked_own[ACK(v, p)] = taken_own[p];
            if :: v == 0 && snapshot[p] -> listed[v] = 1 :: else fi }
    /* the own record follows the table */
    :: d_step { serving[p] && table[v] == T_JOINING && state[AT(v, v)] == NOTHING -> state[AT(v, v)] = JOINING }
    :: d_step { serving[p] && table[v] == T_LEAVING && state[AT(v, v)] == JOINING -> state[AT(v, v)] = (MUTATION == 4 -> FORGOTTEN : LEAVING) }
    :: d_step { serving[p] && table[v] == T_GONE && state[AT(v, v)] == LEAVING -> state[AT(v, v)] = LEFT }
    :: d_step { serving[p] && state[AT(v, v)] == LEFT && (!present[AT(v, OTHER(v))] || HAVE(v, OTHER(v), LEFT, 0)) && HAVE(v, v, 0, LEFT) -> state[AT(v, v)] = FORGOTTEN }
    /* the table follows the acknowledgements: the own record is in the mounted cluster, what was there has been read, and
       everybody has taken up everything */
    :: d_step { serving[p] && table[v] == T_JOINING && state[AT(v, v)] == JOINING && (MUTATION == 1 || (PUBLISHED(v) && EVERYBODY(v))) -> table[v] = T_ACTIVE }
    :: d_step { serving[p] && table[v] == T_LEAVING && state[AT(v, v)] == LEAVING && HAVE(v, v, 0, LEAVING) -> table[v] = T_GONE }
    /* the operator */
    :: d_step { table[v] == T_NONE -> table[v] = T_JOINING }
#ifdef UNMOUNT
    :: d_step { v == 0 && table[v] == T_ACTIVE -> table[v] = T_LEAVING }
#endif
#ifdef DIE
    :: p == 1 ->
        /* cut off: it must stop before home forgets it, not after */
        if
        :: MUTATION == 6 -> d_step { live1 = 0 }
        :: else -> d_step { serving[p] = 0; live1 = 0 }
        fi;
        do
        :: d_step { serving[p] && !seen[p] && committed[FIRST(v)] && (FIRST(v) == v || using[p]) -> read_first(p, v) }
        :: d_step { serving[p] && (seen[p] || must[p]) && !missed[v] && (SECOND(v) == v || using[p]) -> read_second(p, v) }
        :: !serving[p] -> break
        od;
        break
    :: d_step { p == 0 && serving[0] && !live1 && !gone[0] -> gone[0] = 1 }
#endif
    od
}

active proctype Data() {
    do
    :: d_step { !committed[0] -> committed[0] = 1 }
    :: d_step { !committed[1] -> committed[1] = 1 }
    :: d_step { committed[SECOND(0)] && !copied[0] -> copied[0] = 1 }
    :: d_step { committed[SECOND(1)] && !copied[1] -> copied[1] = 1 }
    od
}

init {
    d_step {
        present[AT(0, 0)] = 1;
        present[AT(1, 1)] = 1;
        serving[0] = 1;
        serving[2] = 1;
#if !defined(START) && !defined(ALONE)
        serving[1] = 1;
        live1 = 1;
        listed[0] = 1;
        snapshot[0] = 1;
        snapshot[1] = 1;
#endif
    }
    atomic {
        run Proxy(0, 0);
#ifndef ALONE
        run Proxy(1, 0);
#endif
        run Proxy(2, 1)
    }
}
