/*
 * How an object of a roaming tree moves between zones (docs/roaming.md, "A move").
 *
 * Ensembles are atomic: each step of a proxy is one conditional write, or one read, at one of them. N proxies, of any zones: each moves the
 * object to any zone, finishes or overtakes what another has begun, appends wherever it believes the owner to be, writes snapshots and trims. A
 * proxy may stop for ever, or sleep, between any two steps: nothing is fair. So may an ensemble; the arbiter's failure is that nobody takes a
 * step there, or that a step's reply is lost: after a write its proxy knows that it was done, or does not know whether it was, and it may or may not
 * have been. A zone that never was an active owner may be lost for good.
 *
 * Entries are counted only. What must never be: an entry is committed at an index at which another one was committed before, which is also how a
 * lost one shows; and a zone becomes the owner although nobody can read all that was committed.
 *
 * Each MUTATION leaves one ingredient out; spin must then find one of these:
 *   1 entries are appended before the record says active     2 the last owner is not sealed
 *   3 an append does not check the ballot                     4 the last named owner is sealed, not the last active one
 *   5 an epoch is installed again by who comes later          6 who takes a move over does not seal
 *   7 after a lost reply the record is not read again         8 entries are deleted while the owner is still pending
 */
#ifndef MUTATION
#define MUTATION 0
#endif
#ifndef N
#define N 2
#endif
#ifndef EPOCHS
#define EPOCHS 4
#endif
#ifndef ENTRIES
#define ENTRIES 3
#endif
#define ZONES 3

/* the record, at the arbiter */
byte epoch = 1, owner = 0, seal = 0, version = 0;
bit isActive = 1;

/* the zones */
byte promised[ZONES], installed[ZONES];
byte length[ZONES];       /* the index behind the last entry of the installed epoch's log */
byte snapshot[ZONES];     /* what the zone's snapshot contains */
bit was[ZONES];           /* it was an active owner */
bit lost[ZONES];

byte committed;           /* indexes at which an entry was committed */
byte gone;                /* entries below this index were deleted */

inline readable(index) {
    /* everything below the index is in a log that was not trimmed or in the snapshot of a zone that is there */
    assert(gone == 0 || (!lost[0] && snapshot[0] >= gone) || (!lost[1] && snapshot[1] >= gone) || (!lost[2] && snapshot[2] >= gone))
}

proctype Proxy() {
    byte e, to, from, v, n, z;
    bit mine;

look:
    /* reads the record */
    atomic {
        e = epoch; to = owner; v = version; n = 0; z = 0; mine = 0;
        if
        :: isActive -> from = owner
        :: !isActive -> from = seal
        fi;
        if
        :: isActive -> goto serve
        :: !isActive -> goto sealing
        :: epoch < EPOCHS -> goto take
        :: isActive && snapshot[owner] < length[owner] && !lost[owner] -> goto write_snapshot
        :: !isActive && !lost[owner] && MUTATION == 8 -> goto write_snapshot
        :: (isActive || MUTATION == 8) && snapshot[owner] > gone && !lost[owner] -> n = snapshot[owner]; goto trim
        fi
    }

take:
    atomic {
        if
        :: z = 0 :: z = 1 :: z = 2
        fi;
        if
        :: z == to -> z = 0; goto look
        :: else
        fi;
        if
        :: MUTATION == 4 -> from = to
        :: else
        fi;
        e++; to = z; z = 0; mine = 1;
        if
        :: version == v ->
            epoch = e; owner = to; isActive = 0; seal = from; version++; v++;
            if
            :: goto sealing
            :: MUTATION != 7 -> goto look             /* the reply is lost */
            :: MUTATION == 7 -> goto sealing
            fi
        :: version != v -> goto look                  /* refused */
        :: MUTATION == 7 && version != v -> v++; goto sealing
        fi
    }

sealing:
    atomic {
        if
        :: MUTATION == 2 || (MUTATION == 6 && !mine) -> n = length[from]; goto install
        :: else
        fi;
        if
        :: lost[from] || promised[from] > e -> goto look
        :: else ->
            promised[from] = e;
            if
            :: n = length[from]; goto install
            :: goto look                              /* the reply is lost */
            fi
        fi
    }

install:
    atomic {
        if
        :: lost[to] || promised[to] > e -> goto look
        :: !lost[to] && promised[to] <= e && (installed[to] != e || MUTATION == 5) ->
            readable(n);
            promised[to] = e; installed[to] = e; length[to] = n
        :: !lost[to] && promised[to] <= e && installed[to] == e && MUTATION != 5 -> skip
        fi;
        n = 0;
        if
        :: MUTATION == 1 -> goto append
        :: goto activate
        :: goto look                                  /* the reply is lost */
        fi
    }

activate:
    atomic {
        if
        :: version == v -> epoch = e; owner = to; isActive = 1; seal = 0; version++; was[to] = 1
        :: else
        fi;
        goto look                                     /* whatever the reply says, the record is read */
    }

serve:
    /* the ballot of the owner, once the record says active */
    atomic {
        if
        :: !lost[to] && installed[to] == e && promised[to] == e -> goto append
        :: else -> goto look
        fi
    }

append:
    atomic {
        if
        :: committed < ENTRIES && !lost[to] && ((installed[to] == e && promised[to] == e) || MUTATION == 3) ->
            assert(length[to] == committed);
            length[to]++; committed++;
            if
            :: goto append
            :: goto look
            fi
        :: goto look
        fi
    }

write_snapshot:
    /* a copy contains at most what was committed */
    atomic {
        if
        :: !lost[to] && snapshot[to] < committed -> snapshot[to] = committed
        :: else
        fi;
        goto look
    }

trim:
    atomic {
        if
        :: n > gone -> gone = n
        :: else
        fi;
        n = 0; goto look
    }
}

active proctype Disaster() {
    /* a zone that was never an active owner is lost */
    atomic {
        if
        :: !was[1] -> lost[1] = 1
        :: !was[2] -> lost[2] = 1
        fi
    }
}

init {
    atomic {
        promised[0] = 1; installed[0] = 1; was[0] = 1;
        byte p = 0;
        do
        :: p < N -> run Proxy(); p++
        :: else -> break
        od
    }
}
