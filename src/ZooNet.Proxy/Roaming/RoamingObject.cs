using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using ZooNet.Protocol;
using ZooNet.Proxy.Control;
using ZooNet.Roaming;
using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Objects;
using ZooNet.Roaming.Records;

namespace ZooNet.Proxy.Roaming;

/// <summary>Who uses an object: told everything on the object's loop, one thing after the other.</summary>
internal interface IObjectUser
{
    /// <summary>
    /// The copy holds all that had been committed when the object was started, or was replaced by a snapshot: it begins anew from there.
    /// </summary>
    void Load(ObjectCopy copy);

    /// <summary>An entry was applied to the copy.</summary>
    /// <param name="copy">The copy, with the entry.</param>
    /// <param name="outcomes">What became of each command; the tag for those that were sent here.</param>
    void Applied(ObjectCopy copy, IReadOnlyList<(Outcome Outcome, object? Tag)> outcomes);

    /// <summary>The copy holds all that had been committed before this was asked for.</summary>
    void Fresh(ObjectCopy copy, object tag);

    /// <summary>Nobody can tell what became of a command.</summary>
    void Lost(object tag);
}

/// <summary>
/// One object of a roaming tree on real ensembles: follows its log from zone to zone, sends commands, moves it, and finishes moves that
/// stand still. All its state belongs to one loop; requests to ensembles run beside it and come back to it. So a proxy that was paused
/// goes on where it was: whatever it still sends is refused by the fence.
/// </summary>
internal sealed partial class RoamingObject : IAsyncDisposable
{
    /// <summary>Entries on their way at once.</summary>
    private const int MaxInFlight = 4;

    /// <summary>Own entries that are committed and wait for others before them; more are read from the log as others' are.</summary>
    private const int MaxCommitted = 64;

    /// <summary>Entries that are read at once: across a WAN so many a round trip.</summary>
    private const int MaxWindow = 512;

    /// <summary>Bytes that are read at once, if the next entries are as long as those before.</summary>
    private const int MaxWindowBytes = 8 << 20;

    /// <summary>So often a zone that does not answer is asked for entries before the other zones are asked for a snapshot.</summary>
    private const int ReadTries = 4;

    /// <summary>So often a move that stands still is looked at, by the clock, before it is finished here.</summary>
    private const int Patience = 6;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly object CatchUp = new();

    private readonly Layout _layout;
    private readonly TreeRecord _tree;
    private readonly string _name;
    private readonly string _zone;
    private readonly IZones _zones;
    private readonly TimeProvider _time;
    private readonly IObjectUser _user;
    private readonly Loop _loop;
    private readonly ConcurrentQueue<Action> _inbox = new();
    private readonly Follower _follower;
    private readonly Queue<(long Index, List<object> Tags)> _reached = new();
    private readonly List<(long Index, TaskCompletionSource Done)> _awaited = [];
    private readonly Dictionary<Place, byte[]> _committed = [];
    private List<object> _fresh = [CatchUp];
    private Sender? _sender;
    private bool _locating;
    private bool _locateAgain;
    private bool _reading;
    private bool _checking;
    private bool _finishing;
    private long _look;
    private bool _waitsForRecord;
    private int _recordVersion = -1;
    private (string Zone, Place Place)? _armed;
    private int _window = 1;
    private bool _atEnd;
    private int _inFlight;
    private bool _resend;
    private int _waits;
    private int _failures;
    private bool _resting;
    private long _refused;
    private volatile ObjectState _state = ObjectState.Unknown;
    private string? _problem;

    /// <summary>Makes it; nothing happens before <see cref="Start"/>.</summary>
    public RoamingObject(Layout layout, TreeRecord tree, string name, string zone, IZones zones, IObjectUser user, TimeProvider time,
        Action<Exception> failed)
    {
        (_layout, _tree, _name, _zone, _zones, _user, _time) = (layout, tree, name, zone, zones, user, time);
        _follower = new Follower(name);
        _loop = new Loop(TurnAsync, failed, TimeSpan.FromMilliseconds(100), LongestPause, time);
        _zones.Stirred += OnStirred;
    }

    /// <summary>Where it stands; any thread.</summary>
    public ObjectState State => _state;

    /// <summary>Why it does not go on; null while it does.</summary>
    public string? Problem => _loop.Failure ?? Volatile.Read(ref _problem);

    /// <summary>The copy. On the loop.</summary>
    public ObjectCopy Copy => _follower.Copy;

    /// <summary>Begins to follow the log.</summary>
    public void Start() => _loop.Start();

    /// <summary>Runs something on the loop; any thread.</summary>
    public void Post(Action action)
    {
        _inbox.Enqueue(action);
        _loop.Ring();
    }

    /// <summary>Sends a command, behind those that were sent before. On the loop.</summary>
    /// <returns>False where too many wait, or it is too long; nothing was sent then.</returns>
    public bool TrySend(Command command, object? tag) => _sender is { } sender && sender.TryAdd(command, tag);

    /// <summary>Asks for <see cref="IObjectUser.Fresh"/>; answered in the order in which it was asked for. On the loop.</summary>
    public void Freshen(object tag) => _fresh.Add(tag);

    /// <summary>Makes a zone the owner, or finishes the move that is under way.</summary>
    /// <param name="target">The zone; null only to finish.</param>
    /// <param name="cancellationToken">Gives up; what was begun may be finished by anybody.</param>
    /// <param name="why">Why, for operators.</param>
    public async Task<(End End, string Reason)> MoveAsync(string? target, CancellationToken cancellationToken, string? why = null)
    {
        var mover = new Mover(_layout, _tree.Arbiter, _name, target, why);
        await RunAsync(mover, cancellationToken);
        Post(Locate);
        return (mover.End, mover.Reason);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _zones.Stirred -= OnStirred;
        await _loop.DisposeAsync();
    }

    // ---------------------------------------------------------------- the loop

    private Task<TimeSpan> TurnAsync(CancellationToken cancellationToken)
    {
        while (_inbox.TryDequeue(out var action))
        {
            action();
        }
        Follow();
        Push();
        Check();
        Keep();
        _state = new ObjectState(_follower.Location, _follower.Copy.Index, _follower.Copy.Digest, _sender is not null,
            _sender?.Count ?? 0, _follower.Copy.Tree.Count);
        // Every change comes by the inbox; containers and TTL znodes are looked at now and then.
        return Task.FromResult(_follower.Copy.Tree.Reapable.Count > 0 ? ReapInterval : Loop.UntilRung);
    }

    private void OnStirred(string zone, string? path) => Post(() =>
    {
        if (_waitsForRecord && (path is null || (zone == _tree.Arbiter && path == _layout.Record(_name))))
        {
            LookAgain(_look);
        }
        if (_armed is { } armed && armed.Zone == zone
            && (path is null || path == _layout.Ballot(_name) || path == _layout.Entry(_name, armed.Place.Epoch, armed.Place.Number)))
        {
            Wake();
            if (path == _layout.Ballot(_name))
            {
                Locate();
            }
        }
    });

    /// <summary>Does something that takes time beside the loop, and goes on with what it came to on the loop.</summary>
    private void Begin<T>(Func<CancellationToken, Task<T>> work, Action<T> then, Action unreachable)
    {
        _ = RunAsync();

        async Task RunAsync()
        {
            try
            {
                var result = await work(_loop.Stopping);
                Post(() => then(result));
            }
            catch (ClusterUnreachableException e)
            {
                Post(() =>
                {
                    Volatile.Write(ref _problem, e.Message);
                    unreachable();
                });
            }
            catch (OperationCanceledException) when (_loop.Stopping.IsCancellationRequested)
            {
            }
            catch (Exception e)
            {
                // On the loop it becomes the object's failure, and is told.
                Post(() =>
                {
                    unreachable();
                    throw new RoamingDataException(e.Message);
                });
            }
        }
    }

    private async Task<T> RunAsync<T>(T procedure, CancellationToken cancellationToken) where T : Procedure
    {
        foreach (var ask in procedure.Steps())
        {
            if (ask.Kind == AskKind.Applied)
            {
                if (procedure is Mover { Record: { } active })
                {
                    Post(() => LocateKnown(active));
                }
                await AppliedAsync(ask.Index, cancellationToken);
            }
            else
            {
                await _zones.AskAsync(ask, cancellationToken);
            }
        }
        return procedure;
    }

    private Task AppliedAsync(long index, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            _awaited.Add((index, done));
            Reached();
        });
        return done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Goes on after a while: the longer the more often it was tried.</summary>
    private void Rest(int tries, Action then)
    {
        var pause = ShortestPause * Math.Pow(2, Math.Min(tries, 8));
        After(pause < LongestPause ? pause : LongestPause, then);
    }

    /// <summary>Goes on after about so long.</summary>
    private void After(TimeSpan pause, Action then)
    {
        pause *= 0.5 + (RandomNumberGenerator.GetInt32(1000) / 1000.0);
        _ = RestAsync();

        async Task RestAsync()
        {
            try
            {
                await Task.Delay(pause, _time, _loop.Stopping);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            Post(then);
        }
    }

    // ---------------------------------------------------------------- following

    private void Follow()
    {
        ApplyOwn();
        if (_reading)
        {
            return;
        }
        switch (_follower.Next(out var zone, out var place))
        {
            case Need.Location:
                LocateOnce();
                break;
            case Need.Snapshot:
                Load();
                break;
            default:
                if (_armed == (zone, place))
                {
                    break;
                }
                if (_atEnd)
                {
                    Arm(zone, place);
                }
                else
                {
                    Read(zone, place);
                }
                break;
        }
    }

    /// <summary>What this proxy has appended, and was told the number of, is in the log: it need not be read.</summary>
    private void ApplyOwn()
    {
        while (_committed.Count > 0 && _follower.Next(out _, out var place) == Need.Entry && _committed.TryGetValue(place, out var data))
        {
            // Most likely it is the last one.
            _atEnd = true;
            Apply(place, data);
        }
    }

    private void Read(string zone, Place place)
    {
        _reading = true;
        var window = _window;
        Begin(async cancel =>
        {
            var entries = Task.WhenAll(Enumerable.Range(0, window).Select(i =>
                _zones.PeekAsync(zone, _layout.Entry(_name, place.Epoch, place.Number + i), cancel)));
            // Across a WAN it would take many round trips to find out.
            var count = zone == _zone ? Task.FromResult(0) : _zones.CountAsync(zone, _layout.Log(_name, place.Epoch), cancel);
            await Task.WhenAll(entries, count);
            return (Found: await entries, Count: await count);
        }, read =>
        {
            var (found, count) = read;
            _reading = false;
            _failures = 0;
            foreach (var (i, data) in found.Index())
            {
                // The run may end here, or a snapshot or own entries have come between.
                if (data is null || _follower.Next(out var nextZone, out var next) != Need.Entry || nextZone != zone
                    || next.Epoch != place.Epoch || next.Number < place.Number + i)
                {
                    break;
                }
                if (next.Number == place.Number + i)
                {
                    Apply(next, data);
                }
            }
            // Next time all that are known to be there, or twice as many: as much again comes while an answer is on its way.
            var there = found.TakeWhile(d => d is not null).ToList();
            _atEnd = there.Count == 0 && count <= place.Number;
            _window = Math.Clamp(Math.Max(there.Count * 2, count - place.Number - there.Count), 1,
                Math.Min(MaxWindow, MaxWindowBytes / there.Select(d => d!.Length).Append(1).Max()));
        }, () =>
        {
            if (_failures < ReadTries)
            {
                Unreadable();
                return;
            }
            // What that zone holds another one may hold by now, in a snapshot.
            Wake();
            Load();
        });
    }

    private void Unreadable()
    {
        Wake();
        Rest(_failures++, () => _reading = false);
    }

    private void Apply(Place place, byte[] data)
    {
        _committed.Remove(place);
        var copy = _follower.Copy;
        var entry = Entry.Read(_layout.Entry(_name, place.Epoch, place.Number), data);
        var outcomes = copy.Apply(entry);
        Measure(data.Length);
        Count(entry);
        if (_sender is not { } sender)
        {
            Reached();
            return;
        }
        var told = new (Outcome, object?)[outcomes.Count];
        for (var i = 0; i < told.Length; i++)
        {
            told[i] = (outcomes[i], sender.Applied(outcomes[i], out var tag) ? tag : null);
        }
        _user.Applied(copy, told);
        Reached();
    }

    /// <summary>There may be something to read: what is being armed now may have looked too early.</summary>
    private void Wake()
    {
        _armed = null;
        _atEnd = false;
    }

    /// <summary>There is nothing more to read: looks again by watch, and whether the log is one still.</summary>
    private void Arm(string zone, Place place)
    {
        _reading = true;
        _atEnd = false;
        // From now on: the watch may have fired before we hear that it is set.
        _armed = (zone, place);
        Begin(cancel => _zones.WatchAsync(zone, _layout.Entry(_name, place.Epoch, place.Number), _layout.Ballot(_name),
            _layout.Log(_name, place.Epoch), cancel), end =>
        {
            _reading = false;
            if (end.HasEntry)
            {
                _armed = null;
                return;
            }
            var at = _follower.Location;
            if (end.Log is null || LogRecord.Read(_layout.Log(_name, place.Epoch), end.Log).Below > place.Number)
            {
                // What it would read has been trimmed.
                _armed = null;
                Load();
                Locate();
            }
            else if (at is not null && at.Zone == zone && at.Epoch == place.Epoch && end.Fence != at.Version)
            {
                Locate();
            }
        }, Unreadable);
    }

    private void Load()
    {
        _reading = true;
        Begin(cancel => RunAsync(new SnapshotReader(_layout, _tree.Zones, _name, _follower.Copy.Index), cancel), reader =>
        {
            if (reader.Copy is not { } copy || copy.Index <= _follower.Copy.Index)
            {
                Rest(_failures++, () => _reading = false);
                return;
            }
            _reading = false;
            _failures = 0;
            _follower.Replace(copy);
            _committed.Clear();
            _newest.Clear();
            _newestBytes = 0;
            foreach (var tag in _sender?.Jumped(copy).OfType<object>() ?? [])
            {
                _user.Lost(tag);
            }
            if (_sender is not null)
            {
                _user.Load(copy);
            }
            Reached();
        }, Unreadable);
    }

    private void Locate()
    {
        _locateAgain |= _locating;
        LocateOnce();
    }

    private void LocateOnce()
    {
        if (_locating)
        {
            return;
        }
        _locating = true;
        Begin(cancel => RunAsync(new Locator(_layout, _tree.Arbiter, _name), cancel), Located, () => AwaitRecord(int.MaxValue));
    }

    /// <summary>This proxy has just made a zone the owner: what else is to know of it lies there.</summary>
    private void LocateKnown(OwnerRecord active) =>
        Begin(cancel => RunAsync(new Locator(_layout, _tree.Arbiter, _name) { Known = active }, cancel), locator =>
        {
            if (locator.Location is { } found)
            {
                Learn(found, locator);
                LookAgain(_look);
            }
        }, static () => { });

    private void LocateAnew()
    {
        _locating = false;
        Locate();
    }

    private void Located(Locator locator)
    {
        Volatile.Write(ref _problem, locator.End switch
        {
            End.Refused => locator.Reason,
            End.Unreachable => "the arbiter, or the owner's ensemble, does not answer",
            _ => null,
        });
        if (locator.Record is not null && locator.RecordVersion != _recordVersion)
        {
            // It does not stand still.
            (_recordVersion, _waits) = (locator.RecordVersion, 0);
        }
        if (locator.Location is { } found)
        {
            Learn(found, locator);
            if (found.IsOpen && found.Epoch > _refused)
            {
                _waits = 0;
                _locating = false;
                if (_locateAgain)
                {
                    _locateAgain = false;
                    LocateOnce();
                }
                return;
            }
        }
        _locateAgain = false;
        // A move is under way. Whoever has begun it may be gone.
        if (_waits >= Patience && locator.End == End.Done && !_finishing)
        {
            _finishing = true;
            Begin(cancel => RunAsync(new Mover(_layout, _tree.Arbiter, _name, null), cancel), _ => _finishing = false,
                () => _finishing = false);
        }
        AwaitRecord(locator.End == End.Done ? locator.RecordVersion : int.MaxValue);
    }

    /// <summary>Looks where the object is when its record has changed since, and after a while whatever happens.</summary>
    private void AwaitRecord(int version)
    {
        var look = ++_look;
        _waitsForRecord = true;
        Begin(cancel => _zones.WatchAsync(_tree.Arbiter, _layout.Record(_name), cancel), now =>
        {
            if (now > version)
            {
                LookAgain(look);
            }
        }, static () => { });
        Rest(Math.Min(_waits++, Patience), () => LookAgain(look));
    }

    private void LookAgain(long look)
    {
        if (_waitsForRecord && look == _look)
        {
            _waitsForRecord = false;
            LocateAnew();
        }
    }

    // ---------------------------------------------------------------- sending

    private void Push()
    {
        if (_sender is not { Count: > 0 } sender || _resting)
        {
            return;
        }
        var copy = _follower.Copy;
        if (!copy.Takes(sender.Proxy, sender.Since))
        {
            sender.BeginAnew(NewId(), copy.Index);
        }
        if (!IsOpen(out var at))
        {
            LocateOnce();
            return;
        }
        if (_resend)
        {
            if (_inFlight > 0)
            {
                return;
            }
            _resend = false;
            sender.SendAgain();
        }
        while (_inFlight < MaxInFlight && sender.Take(_time.GetUtcNow().ToUnixTimeMilliseconds()) is { } entry)
        {
            _inFlight++;
            var append = at.Append(_layout, _name, entry.ToBytes());
            Begin(async cancel =>
            {
                await _zones.AskAsync(append, cancel);
                return append.Error;
            }, error =>
            {
                if (error == ErrorCode.Ok)
                {
                    Committed(new Place(at.Epoch, Layout.NumberOf(append.Names[^1])), append.Writes[^1].Data!);
                }
                Appended(at, error);
            }, () => Appended(at, ErrorCode.ConnectionLoss));
        }
    }

    private void Committed(Place place, byte[] entry)
    {
        var next = _follower.Copy.Next;
        // It may have been read already.
        if (_committed.Count < MaxCommitted && (place.Epoch, place.Number).CompareTo((next.Epoch, next.Number)) >= 0)
        {
            _committed[place] = entry;
        }
    }

    private bool IsOpen([NotNullWhen(true)] out Location? at)
    {
        at = _follower.Location;
        return at is { IsOpen: true } && at.Epoch > _refused;
    }

    private void Appended(Location at, ErrorCode error)
    {
        _inFlight--;
        if (error == ErrorCode.Ok)
        {
            _failures = 0;
            // Others' entries may be before it: the watch would tell a little later.
            Wake();
            return;
        }
        _resend = true;
        if (error is ErrorCode.BadVersion or ErrorCode.NoNode)
        {
            _refused = Math.Max(_refused, at.Epoch);
            Locate();
            return;
        }
        Volatile.Write(ref _problem, $"the ensemble of {at.Zone} answered {error} to an entry");
        if (!_resting)
        {
            _resting = true;
            Rest(_failures++, () =>
            {
                _resting = false;
                Locate();
            });
        }
    }

    // ---------------------------------------------------------------- freshness

    private void Check()
    {
        if (_checking || _fresh.Count == 0)
        {
            return;
        }
        if (!IsOpen(out var at))
        {
            LocateOnce();
            return;
        }
        _checking = true;
        (var tags, _fresh) = (_fresh, []);
        Begin(cancel => RunAsync(new ObjectBarrier(_layout, _name, at), cancel), barrier =>
        {
            if (barrier.Index is { } index)
            {
                _checking = false;
                _reached.Enqueue((index, tags));
                if (_follower.Copy.Index < index)
                {
                    Wake();
                }
                Reached();
                return;
            }
            if (barrier.End == End.Done)
            {
                // Sealed: the object goes on elsewhere.
                _refused = Math.Max(_refused, at.Epoch);
                _fresh.InsertRange(0, tags);
                _checking = false;
                Locate();
                return;
            }
            Again();
        }, Again);

        void Again()
        {
            _fresh.InsertRange(0, tags);
            Rest(_failures++, () =>
            {
                _checking = false;
                Locate();
            });
        }
    }

    private void Reached()
    {
        var copy = _follower.Copy;
        for (var i = _awaited.Count - 1; i >= 0; i--)
        {
            if (_awaited[i].Index <= copy.Index)
            {
                _awaited[i].Done.TrySetResult();
                _awaited.RemoveAt(i);
            }
        }
        while (_reached.TryPeek(out var first) && first.Index <= copy.Index)
        {
            _reached.Dequeue();
            foreach (var tag in first.Tags)
            {
                if (tag != CatchUp)
                {
                    _user.Fresh(copy, tag);
                }
                else
                {
                    _sender = new Sender(_zone, NewId(), copy.Index);
                    _user.Load(copy);
                }
            }
        }
    }

    private static long NewId() => RandomNumberGenerator.GetInt32(1, int.MaxValue) * (1L << 32)
        | (uint)RandomNumberGenerator.GetInt32(int.MaxValue);
}

/// <summary>Where an object stands in one proxy.</summary>
/// <param name="At">Where its entries go, as far as the proxy knows; null before it has looked.</param>
/// <param name="Index">How many entries the copy has applied.</param>
/// <param name="Digest">What it has applied, in one number.</param>
/// <param name="IsLoaded">Whether the copy has caught up since the start.</param>
/// <param name="Waiting">Commands that have not been applied.</param>
/// <param name="Znodes">How many znodes it has.</param>
internal sealed record ObjectState(Location? At, long Index, ulong Digest, bool IsLoaded, int Waiting, int Znodes)
{
    /// <summary>Nothing is known yet.</summary>
    public static ObjectState Unknown { get; } = new(null, 0, 0, false, 0, 0);
}
