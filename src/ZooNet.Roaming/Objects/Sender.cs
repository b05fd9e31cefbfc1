using ZooNet.Roaming.Records;

namespace ZooNet.Roaming.Objects;

/// <summary>
/// What one proxy wants to do to one object, in the order in which its clients asked. Commands stay here until the proxy's own copy has
/// applied
/// them: a reply of the ensemble says nothing that the log would not say. Whatever was refused, or may have been lost, is sent again with
/// its
/// number, so it takes effect once. Not thread-safe.
/// </summary>
/// <param name="zone">The proxy's zone.</param>
/// <param name="proxy">Its id for this object: a random number, never used before.</param>
/// <param name="since">The index that its copy had applied when it chose the id.</param>
internal sealed class Sender(string zone, long proxy, long since)
{
    /// <summary>The most commands that wait; more are refused.</summary>
    public const int MaxQueued = 16 * 1024;

    private readonly Queue<(Command Command, object? Tag)> _queue = [];
    private long _applied;
    private int _sent;

    /// <summary>The id under which commands are sent.</summary>
    public long Proxy { get; private set; } = proxy;

    /// <summary>What was applied when the id was chosen.</summary>
    public long Since { get; private set; } = since;

    /// <summary>How many commands have not been applied yet.</summary>
    public int Count => _queue.Count;

    /// <summary>How many of them have not been sent, or must be sent again.</summary>
    public int Unsent => _queue.Count - _sent;

    /// <summary>Adds a command.</summary>
    /// <param name="command">What to do.</param>
    /// <param name="tag">Comes back with the result.</param>
    /// <returns>False where too many wait already, or the command is too long for any entry.</returns>
    public bool TryAdd(Command command, object? tag)
    {
        if (_queue.Count >= MaxQueued || command.Length > Entry.MaxLength - 1024)
        {
            return false;
        }
        _queue.Enqueue((command, tag));
        return true;
    }

    /// <summary>Takes the next commands to send; null where there are none.</summary>
    /// <param name="timeMs">The wall clock, in milliseconds since 1970.</param>
    /// <param name="most">How many commands at most.</param>
    public Entry? Take(long timeMs, int most = Entry.MaxCommands)
    {
        var commands = new List<Command>();
        var length = 1024;
        foreach (var (command, _) in _queue.Skip(_sent).Take(most))
        {
            if ((length += command.Length) > Entry.MaxLength)
            {
                break;
            }
            commands.Add(command);
        }
        if (commands.Count == 0)
        {
            return null;
        }
        var first = _applied + _sent + 1;
        _sent += commands.Count;
        return new Entry(zone, Proxy, Since, first, timeMs, commands);
    }

    /// <summary>The tag of a command that has not been applied yet.</summary>
    /// <param name="number">Its running number.</param>
    public object? TagOf(long number) => _queue.ElementAtOrDefault((int)(number - _applied - 1)).Tag;

    /// <summary>An entry was refused, or its reply was lost: all that has not been applied is sent again, in order.</summary>
    public void SendAgain() => _sent = 0;

    /// <summary>Tells what the proxy's own copy made of a command.</summary>
    /// <returns>True where it was this sender's oldest one, and has now had its effect.</returns>
    public bool Applied(Outcome outcome, out object? tag)
    {
        tag = null;
        if (outcome.Proxy != Proxy || outcome.Number <= _applied)
        {
            return false;
        }
        if (outcome.Result is null || outcome.Number != _applied + 1)
        {
            // Out of turn: one before it did not get through.
            SendAgain();
            return false;
        }
        _applied++;
        _sent = Math.Max(0, _sent - 1);
        tag = _queue.Dequeue().Tag;
        return true;
    }

    /// <summary>
    /// The copy was replaced by a snapshot: nobody has seen what was applied meanwhile. Its results are lost, as with a connection.
    /// </summary>
    /// <returns>The tags of the commands whose results nobody can tell.</returns>
    public IReadOnlyList<object?> Jumped(ObjectCopy copy)
    {
        // Of a proxy that was forgotten meanwhile nobody can tell how far it had come.
        var forgotten = !copy.Takes(Proxy, Since);
        var lost = new List<object?>();
        if (forgotten)
        {
            // Ends can be told again; nothing else can be done again.
            var ends = _queue.Where(q => q.Command.Kind is CommandKind.EndProxy or CommandKind.EndSession).ToList();
            lost.AddRange(_queue.Where(q => !ends.Contains(q)).Select(q => q.Tag));
            _queue.Clear();
            ends.ForEach(_queue.Enqueue);
        }
        for (var until = copy.AppliedOf(Proxy); _queue.Count > 0 && _applied < until; _applied++)
        {
            lost.Add(_queue.Dequeue().Tag);
        }
        SendAgain();
        return lost;
    }

    /// <summary>
    /// The copies take no command of this proxy any more (<see cref="ObjectCopy.Takes"/>): what waits had no effect and never will under
    /// the old
    /// id, so it is sent under a new one, in its order.
    /// </summary>
    /// <param name="newProxy">Another random number.</param>
    /// <param name="index">What the copy has applied.</param>
    public void BeginAnew(long newProxy, long index)
    {
        (Proxy, Since, _applied, _sent) = (newProxy, index, 0, 0);
    }
}
