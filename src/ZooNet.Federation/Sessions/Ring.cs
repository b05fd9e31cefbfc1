namespace ZooNet.Federation.Sessions;

/// <summary>
/// A first-in-first-out queue of structs in one growing array; handed out by reference, so that nothing is copied or allocated per
/// item. Most sessions are idle most of their time: it begins with room for a request and a ping.
/// </summary>
internal sealed class Ring<T>(int capacity = 2)
    where T : struct
{
    private T[] _items = new T[capacity];
    private int _head;

    public int Count { get; private set; }

    public ref T this[int index] => ref _items[(_head + index) & (_items.Length - 1)];

    public ref T Peek() => ref _items[_head];

    public ref T Enqueue()
    {
        if (Count == _items.Length)
        {
            Grow();
        }
        ref var slot = ref _items[(_head + Count) & (_items.Length - 1)];
        Count++;
        return ref slot;
    }

    /// <summary>Drops the first item; its slot is cleared so that it holds nothing alive.</summary>
    public void Dequeue()
    {
        _items[_head] = default;
        _head = (_head + 1) & (_items.Length - 1);
        Count--;
    }

    public bool Any(Predicate match)
    {
        for (var i = 0; i < Count; i++)
        {
            if (match(ref this[i]))
            {
                return true;
            }
        }
        return false;
    }

    public delegate bool Predicate(ref T item);

    private void Grow()
    {
        var larger = new T[_items.Length * 2];
        for (var i = 0; i < Count; i++)
        {
            larger[i] = this[i];
        }
        _items = larger;
        _head = 0;
    }
}
