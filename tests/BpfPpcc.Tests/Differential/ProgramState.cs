namespace BpfPpcc.Tests.Differential;

internal enum ValueKind
{
    /// <summary>Not written, or different things on different paths: must not be read.</summary>
    Unknown,
    Scalar,
    Pointer,
}

/// <summary>What a register holds, as far as the generator needs it to stay within the rules.</summary>
/// <param name="Low">Of a pointer: the bytes from here...</param>
/// <param name="High">...up to here, counted from the pointer, may be read and written.</param>
/// <param name="Alignment">The address is <paramref name="Residue"/> modulo this (1, 2, 4, 8).</param>
/// <param name="IsContext">Exactly the program's context pointer.</param>
internal readonly record struct Value(
    ValueKind Kind, int Low = 0, int High = 0, int Alignment = 1, int Residue = 0, bool IsReadOnly = false, bool IsContext = false)
{
    public static Value Unknown => default;

    public static Value Scalar => new(ValueKind.Scalar);

    public static Value Pointer(int size, bool isReadOnly = false) => new(ValueKind.Pointer, 0, size, 8, 0, isReadOnly);

    public bool IsScalar => Kind == ValueKind.Scalar;

    public bool IsPointer => Kind == ValueKind.Pointer;

    /// <summary>The pointer, moved by a constant.</summary>
    public Value Moved(int by) => this with
    {
        Low = Low - by,
        High = High - by,
        Residue = ((Residue + by) % Alignment + Alignment) % Alignment,
        IsContext = IsContext && by == 0,
    };

    /// <summary>The pointer, moved by an unknown multiple of <paramref name="step"/> from 0 to <paramref name="most"/>.</summary>
    public Value MovedByUpTo(int most, int step)
    {
        int alignment = Math.Min(Alignment, step & -step);
        return this with { High = High - most, Alignment = alignment, Residue = Residue % alignment, IsContext = false };
    }

    public static Value Meet(Value a, Value b)
    {
        if (a == b)
            return a;
        if (!a.IsPointer || !b.IsPointer)
            return a.IsScalar && b.IsScalar ? Scalar : Unknown;
        int alignment = Math.Min(a.Alignment, b.Alignment);
        while (a.Residue % alignment != b.Residue % alignment)
            alignment /= 2;
        var both = new Value(
            ValueKind.Pointer, Math.Max(a.Low, b.Low), Math.Min(a.High, b.High), alignment, a.Residue % alignment, a.IsReadOnly || b.IsReadOnly);
        return both.High > both.Low ? both : Unknown;
    }
}

/// <summary>What is known at a point of a function.</summary>
internal sealed class ProgramState(int stackSize, int pointerSlots)
{
    /// <summary>r0 to r9.</summary>
    public Value[] Registers { get; } = new Value[10];

    /// <summary>The stack slots that hold pointers or whole registers.</summary>
    public Value[] Slots { get; } = new Value[pointerSlots];

    /// <summary>By byte from the lowest address of the frame: written on every path.</summary>
    public bool[] IsInitialised { get; } = new bool[stackSize];

    public ProgramState Clone()
    {
        var copy = new ProgramState(IsInitialised.Length, Slots.Length);
        Registers.CopyTo(copy.Registers, 0);
        Slots.CopyTo(copy.Slots, 0);
        IsInitialised.CopyTo(copy.IsInitialised, 0);
        return copy;
    }

    public static ProgramState? Meet(ProgramState? a, ProgramState? b)
    {
        if (a is null || b is null)
            return (a ?? b)?.Clone();
        ProgramState both = a.Clone();
        for (int i = 0; i < both.Registers.Length; i++)
            both.Registers[i] = Value.Meet(a.Registers[i], b.Registers[i]);
        for (int i = 0; i < both.Slots.Length; i++)
            both.Slots[i] = Value.Meet(a.Slots[i], b.Slots[i]);
        for (int i = 0; i < both.IsInitialised.Length; i++)
            both.IsInitialised[i] &= b.IsInitialised[i];
        return both;
    }
}
