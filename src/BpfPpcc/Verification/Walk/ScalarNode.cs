using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>What makes a pointer a mere number.</summary>
internal enum PointerLoss : byte
{
    None,

    /// <summary>A call may have moved the packet's data.</summary>
    PacketMoved,

    /// <summary>A call gave back what it points to.</summary>
    Released,
}

/// <summary>
/// A scalar value met on the walk: its bounds and the values that it was computed from. Values are immutable and shared by copies; only the
/// mark is not. A value is marked precise if a decision of the walk depended on its bounds: then the bounds of everything that it was
/// computed from mattered as well. Stored states hold nodes of their own (<see cref="Wrap"/>), so that marks are per state.
/// </summary>
internal sealed class ScalarNode
{
    private readonly ScalarBounds _bounds;
    private ScalarNode? _first;
    private ScalarNode? _second;

    /// <param name="slot">Where it was computed: an index of <see cref="CodeImage"/>, or -1.</param>
    public ScalarNode(in ScalarBounds bounds, int slot, ScalarNode? first = null, ScalarNode? second = null)
    {
        _bounds = bounds;
        _first = first;
        _second = second;
        Slot = slot;
    }

    public ref readonly ScalarBounds Bounds => ref _bounds;

    public int Slot { get; }

    public bool IsPrecise { get; private set; }

    /// <summary>Of a number that was a pointer: why it is none any more.</summary>
    public PointerLoss Loss { get; init; }

    public ScalarNode? First => _first;

    public ScalarNode? Second => _second;

    public static ScalarNode Unknown(int slot) => new(ScalarBounds.Unknown, slot);

    public static ScalarNode Constant(long value, int slot) => new(ScalarBounds.Constant((ulong)value), slot);

    /// <summary>The same value with a mark of its own; marking it marks this as well.</summary>
    public ScalarNode Wrap() => new(_bounds, Slot, this) { Loss = Loss };

    /// <summary>
    /// Marks the value and all that it came from. What is marked already stops the search, so that all calls together cost no more than
    /// there are values.
    /// </summary>
    /// <param name="worklist">Empty, before and after: saves an allocation.</param>
    public void MarkPrecise(Stack<ScalarNode> worklist)
    {
        if (IsPrecise)
            return;
        IsPrecise = true;
        worklist.Push(this);
        while (worklist.TryPop(out ScalarNode? node))
        {
            Mark(node._first, worklist);
            Mark(node._second, worklist);
        }
    }

    private static void Mark(ScalarNode? node, Stack<ScalarNode> worklist)
    {
        if (node is null || node.IsPrecise)
            return;
        node.IsPrecise = true;
        worklist.Push(node);
    }
}
