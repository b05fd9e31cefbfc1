namespace ZooNet.Roaming.Moves;

/// <summary>
/// Takes the objects that a transaction needs and that its zone does not own, in the order of their names, so that two who want the same
/// ones meet
/// at the first. Who fails gives up and fails as a lost connection does: what was moved is simply here now.
/// </summary>
internal sealed class Gatherer(Layout layout, string arbiter, string zone, IEnumerable<string> names) : Procedure
{
    public override IEnumerable<Ask> Steps()
    {
        foreach (var name in names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var mover = new Mover(layout, arbiter, name, zone);
            foreach (var ask in mover.Steps())
            {
                yield return ask;
            }
            if (mover.End != End.Done)
            {
                (End, Reason) = (mover.End, mover.Reason);
                yield break;
            }
        }
        End = End.Done;
    }
}
