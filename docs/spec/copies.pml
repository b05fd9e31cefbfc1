/*
 * How the proxies of a region stay one copy of a remote cluster (docs/consistency.md, "Several proxies of a region").
 *
 * N proxies of one view, which is on no cycle, read a remote cluster through one of its servers 0 and 1. One write is made there; servers
 * lag as long as they like. One client per proxy: it reads the remote, and home; one that knows of the write may tell so by a write at home.
 * What must never be: a client that knows of the remote write, be it from home, reads the remote and misses it. Proxies leave a server for the
 * other whenever they like, and for none.
 *
 * Each MUTATION leaves one ingredient out; spin must then find the miss:
 *   1 a server is read before the others know       2 no barriers though the proxies differ
 *   3 no fresh barrier after a change of rules       4 acknowledged while another server is still heard
 *   5 another server is listed by one that goes on without barriers, or none by one that goes on hearing it
 */
#ifndef MUTATION
#define MUTATION 0
#endif
#ifndef N
#define N 2
#endif
#ifndef CHANGES
#define CHANGES 4         /* how often the record changes in a way that all must acknowledge */
#endif

#define NONE 2

/* the remote cluster and home */
bit committed;
bit has[2];               /* a server shows the write */
bit home;                 /* home tells of it */

/* the view's record in home; it is changed by compare-and-set only */
byte version = 1;
byte reads[N];            /* the server that each proxy lists */
byte acked[N];            /* the version that each has acknowledged */
bit current[N];           /* the proxy has taken up the record as it is now */

/* what each proxy's data path follows */
byte taken[N];            /* a version */
byte wished[N];           /* the server that it would like to read, or none */
byte heard[N];            /* the only server that it hears */
bit free[N];              /* it reads without barriers */
bit must[N];              /* but the next read needs one, whatever was learned */
bit knows[N];             /* its client knows of the write */

inline changed(me) {
    i = 0;
    do
    :: i < N -> if :: i != me -> current[i] = 0 :: else fi; i++
    :: else -> break
    od;
    i = 0
}

/* by what is in the record now */
inline take_up(me) {
    agree = 1;            /* nobody lists another server than somebody else does */
    joined = 1;           /* nobody else lists another server than this proxy */
    all = 1;              /* everybody else has acknowledged */
    server = NONE;
    i = 0;
    do
    :: i < N ->
        if
        :: reads[i] != NONE && server == NONE -> server = reads[i]
        :: reads[i] != NONE && server != reads[i] -> agree = 0
        :: else
        fi;
        if
        :: i != me && reads[i] != NONE && reads[i] != reads[me] -> joined = 0
        :: else
        fi;
        if
        :: i != me && acked[i] < version -> all = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    if
    :: reads[me] == NONE || (wished[me] == NONE && MUTATION != 5) -> server = NONE
    :: reads[me] != NONE && !(wished[me] == NONE && MUTATION != 5) && (joined || all || MUTATION == 1) -> server = reads[me]
    :: else -> server = heard[me]
    fi;
    /* one that is about to list another server needs barriers from now on */
    agree = (agree || MUTATION == 2) && all && (wished[me] == reads[me] || MUTATION == 5);
    if
    :: MUTATION == 4 && heard[me] != NONE && acked[me] < version -> server = heard[me]
    :: else
    fi;
    if
    :: MUTATION != 3 && (free[me] != agree || server != heard[me]) -> must[me] = 1
    :: else
    fi;
    free[me] = agree;
    heard[me] = server;
    taken[me] = version;
    current[me] = 1;
    agree = 0; joined = 0; all = 0; server = 0; i = 0
}

/* it lists another server, or none; whoever merely joins those who list one needs nobody's acknowledgement */
inline list(me) {
    joined = reads[me] == NONE;
    i = 0;
    do
    :: i < N -> if :: i != me && reads[i] != NONE && reads[i] != wished[me] -> joined = 0 :: else fi; i++
    :: else -> break
    od;
    reads[me] = wished[me];
    if :: !joined -> version++ :: else fi;
    current[me] = 0;
    joined = 0;
    changed(me)
}

inline read_remote(me) {
    if
    :: (free[me] && must[me]) || (!free[me] && (must[me] || knows[me])) -> has[heard[me]] = committed; must[me] = 0
    :: else
    fi;
    assert(!knows[me] || has[heard[me]]);
    knows[me] = has[heard[me]]
}

proctype Proxy(byte me) {
    byte i, server;
    bit agree, joined, all;
end:
    do
    /* the client */
    :: d_step { heard[me] != NONE -> read_remote(me) }
    :: d_step { knows[me] && !home -> home = 1 }
    :: d_step { home && !knows[me] -> knows[me] = 1 }
    /* the control plane */
    :: d_step { !current[me] -> take_up(me) }
    :: d_step { current[me] && acked[me] < taken[me] -> acked[me] = taken[me]; current[me] = 0; changed(me) }
    :: d_step { current[me] && wished[me] != reads[me] -> list(me) }
    /* a server can't be reached, or a better one can be */
    :: d_step { current[me] && version <= CHANGES && wished[me] == reads[me] && wished[me] != 0 -> wished[me] = 0; current[me] = (MUTATION == 5) }
    :: d_step { current[me] && version <= CHANGES && wished[me] == reads[me] && wished[me] != 1 -> wished[me] = 1; current[me] = (MUTATION == 5) }
    :: d_step { current[me] && version <= CHANGES && wished[me] == reads[me] && wished[me] != NONE -> wished[me] = NONE; current[me] = (MUTATION == 5) }
    od
}

active proctype Data() {
end:
    do
    :: d_step { !committed -> committed = 1 }
    :: d_step { committed && !has[0] -> has[0] = 1 }
    :: d_step { committed && !has[1] -> has[1] = 1 }
    od
}

init {
    atomic {
        byte p = 0;
        do
        :: p < N -> acked[p] = 1; taken[p] = 1; current[p] = 1; free[p] = 1; p++
        :: else -> break
        od;
        p = 0;
        do
        :: p < N -> run Proxy(p); p++
        :: else -> break
        od
    }
}
