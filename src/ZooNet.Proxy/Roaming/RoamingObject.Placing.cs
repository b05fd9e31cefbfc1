using ZooNet.Roaming.Moves;
using ZooNet.Roaming.Policies;
using ZooNet.Roaming.Records;

namespace ZooNet.Proxy.Roaming;

/// <content>
/// Who should own the object: what was written by which zone's clients is in the log, so nothing is reported. A zone that should own it
/// takes it; of its proxies any, and it does no harm if several do.
/// </content>
internal sealed partial class RoamingObject
{
    /// <summary>So long a wish that could not be granted is not tried again.</summary>
    private static readonly TimeSpan WishPause = TimeSpan.FromSeconds(5);

    private Placement _placement = new Pinned();
    private long _placed;
    private long _placedAtMs;
    private bool _taking;

    /// <summary>True where something else than an operator moves it; any thread.</summary>
    public bool IsPlaced => Volatile.Read(ref _placement) is not Pinned;

    /// <summary>Says who moves it from now on; any thread.</summary>
    public void Place(Placement placement) => Post(() =>
    {
        _placement = placement;
        if (_placed > 1)
        {
            placement.Moved(_placedAtMs);
        }
    });

    private void Learn(Location found, Locator locator)
    {
        _follower.Learn(found);
        if (found.Epoch > _placed)
        {
            _placed = found.Epoch;
            _placedAtMs = locator.RecordTimeMs > 0 ? locator.RecordTimeMs : _time.GetUtcNow().ToUnixTimeMilliseconds();
            // To have been made is no move.
            if (found.Epoch > 1)
            {
                _placement.Moved(_placedAtMs);
            }
        }
    }

    private void Count(Entry entry)
    {
        if (_placement is Pinned || entry.Commands.Count(c => c.IsUse) is not (> 0 and var used))
        {
            return;
        }
        _placement.Count(entry.Zone, used, _follower.Copy.TimeMs);
        // What was written before this proxy began says nothing of today.
        if (_sender is null || _taking || !IsOpen(out var at) || _placement.Wanted(at.Zone) is not { } wish || wish.Zone != _zone)
        {
            return;
        }
        _taking = true;
        Begin(async cancel => await MoveAsync(wish.Zone, cancel, wish.Why), moved =>
        {
            if (moved.End is End.Done or End.Overtaken)
            {
                _taking = false;
                return;
            }
            NotTaken();
        }, NotTaken);

        void NotTaken() => After(WishPause, () => _taking = false);
    }
}
