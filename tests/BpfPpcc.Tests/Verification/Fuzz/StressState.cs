namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>What the generator believes that a register holds.</summary>
internal enum StressKind : byte
{
    None,
    Scalar,
    Context,
    MapValueOrNull,
    MapValue,
    Packet,
    PacketEnd,
    Stack,
    MemoryOrNull,
    Memory,
    SocketOrNull,
    Socket,
}

/// <param name="Max">Of a scalar: the largest unsigned value, or -1 if that is not known to be small.</param>
/// <param name="Offset">Of a pointer: from the start of its object; of the stack: from r10.</param>
/// <param name="Size">Of memory: bytes of the object.</param>
/// <param name="Tag">Copies have the same one: what a check finds out of one is true of all.</param>
internal readonly record struct StressValue(StressKind Kind, long Max = -1, int Offset = 0, int Size = 0, int Tag = 0)
{
    public static readonly StressValue Unknown = new(StressKind.Scalar);

    public static StressValue UpTo(long max) => new(StressKind.Scalar, max);

    public bool IsNullable => Kind is StressKind.MapValueOrNull or StressKind.MemoryOrNull or StressKind.SocketOrNull;

    public bool IsScalar => Kind == StressKind.Scalar;

    public StressValue NonNull() => this with
    {
        Kind = Kind switch
        {
            StressKind.MapValueOrNull => StressKind.MapValue,
            StressKind.MemoryOrNull => StressKind.Memory,
            StressKind.SocketOrNull => StressKind.Socket,
            StressKind.None or StressKind.Scalar or StressKind.Context or StressKind.MapValue or StressKind.Packet or StressKind.PacketEnd
                or StressKind.Stack or StressKind.Memory or StressKind.Socket => Kind,
        },
    };
}

/// <summary>What is believed at one point of a program.</summary>
internal sealed class StressState
{
    public const int StackSlots = 64;

    public StressValue[] Registers { get; private init; } = new StressValue[11];

    /// <summary>By 8-byte slot, from the lowest address on.</summary>
    public StressValue[] Stack { get; private init; } = new StressValue[StackSlots];

    /// <summary>By tag of a packet pointer: how many bytes from offset 0 on were checked.</summary>
    public Dictionary<int, int> Ranges { get; private init; } = [];

    /// <summary>Tags of what must be released.</summary>
    public List<int> References { get; private init; } = [];

    public StressState Copy() => new()
    {
        Registers = [.. Registers],
        Stack = [.. Stack],
        Ranges = new Dictionary<int, int>(Ranges),
        References = [.. References],
    };

    /// <summary>Keeps what is believed on both ways.</summary>
    public void Meet(StressState other)
    {
        for (int i = 0; i < Registers.Length; i++)
            Registers[i] = Meet(Registers[i], other.Registers[i]);
        for (int i = 0; i < StackSlots; i++)
            Stack[i] = Meet(Stack[i], other.Stack[i]);
        foreach (int tag in Ranges.Keys)
            Ranges[tag] = Math.Min(Ranges[tag], other.Ranges.GetValueOrDefault(tag));
        References.RemoveAll(tag => !other.References.Contains(tag));
    }

    private static StressValue Meet(StressValue a, StressValue b)
    {
        if (a == b)
            return a;
        if (a.IsScalar && b.IsScalar)
            return StressValue.UpTo(a.Max < 0 || b.Max < 0 ? -1 : Math.Max(a.Max, b.Max));
        return default;
    }

    public void SetNonNull(int tag)
    {
        for (int i = 0; i < Registers.Length; i++)
        {
            if (Registers[i].IsNullable && Registers[i].Tag == tag)
                Registers[i] = Registers[i].NonNull();
        }

        for (int i = 0; i < StackSlots; i++)
        {
            if (Stack[i].IsNullable && Stack[i].Tag == tag)
                Stack[i] = Stack[i].NonNull();
        }
    }

    public void Forget(Predicate<StressValue> condition)
    {
        for (int i = 0; i < Registers.Length; i++)
        {
            if (condition(Registers[i]))
                Registers[i] = default;
        }

        for (int i = 0; i < StackSlots; i++)
        {
            if (condition(Stack[i]))
                Stack[i] = default;
        }
    }

    public void WriteStack(int offset, int size, StressValue value)
    {
        for (int at = offset; at < offset + size; at++)
        {
            int slot = (at + 8 * StackSlots) / 8;
            if (at + 8 * StackSlots >= 0 && slot < StackSlots)
                Stack[slot] = size == 8 && offset % 8 == 0 ? value : StressValue.Unknown;
        }
    }
}
