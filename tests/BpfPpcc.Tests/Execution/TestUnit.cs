namespace BpfPpcc.Tests.Execution;

public enum SlotReferenceKind
{
    /// <summary>A 64-bit immediate: the address of a map.</summary>
    Map,

    /// <summary>A 64-bit immediate: the address of a variable plus <see cref="SlotReference.Addend"/>.</summary>
    Variable,

    /// <summary>A 64-bit immediate: the address of a function.</summary>
    FunctionAddress,

    /// <summary>A call of a function.</summary>
    FunctionCall,
}

/// <summary>What a slot refers to.</summary>
/// <param name="Slot">Index of the (first) slot.</param>
/// <param name="Target">Index in the unit's maps, variables or functions.</param>
public readonly record struct SlotReference(int Slot, SlotReferenceKind Kind, int Target, int Addend = 0);

/// <summary>Where a function goes in the object.</summary>
public enum FunctionPlace
{
    /// <summary>A program: section "socket", global.</summary>
    Program,

    /// <summary>Section ".text", STB_LOCAL.</summary>
    Static,

    /// <summary>Section ".text", STB_GLOBAL: also for the host to call.</summary>
    Global,
}

/// <summary>A function of a test unit.</summary>
public sealed class TestFunction
{
    public required string Name { get; init; }

    public required FunctionPlace Place { get; init; }

    public required IReadOnlyList<Slot> Slots { get; init; }

    public IReadOnlyList<SlotReference> References { get; init; } = [];
}

/// <summary>A variable. It is in .rodata if read-only, in .bss if it begins as zeros, else in .data.</summary>
public sealed class TestVariable
{
    public required string Name { get; init; }

    public required byte[] Contents { get; init; }

    public bool IsReadOnly { get; init; }

    public string Section => IsReadOnly ? ".rodata" : Contents.AsSpan().ContainsAnyExcept((byte)0) ? ".data" : ".bss";
}

/// <summary>A map: an array, or a prog array if <see cref="Programs"/> is there.</summary>
public sealed class TestMap
{
    public required string Name { get; init; }

    public required int ValueSize { get; init; }

    public required int MaxEntries { get; init; }

    /// <summary>Of an array: the elements' contents before each run, without padding between them.</summary>
    public byte[] Contents { get; init; } = [];

    /// <summary>Of a prog array: function index by slot, -1 where it is empty.</summary>
    public int[]? Programs { get; init; }

    /// <summary>Bytes from one element to the next.</summary>
    public int Stride => ValueSize + 7 & ~7;

    /// <summary>The elements of an array at their stride; of a prog array nothing.</summary>
    public byte[] Strided()
    {
        if (Programs is not null)
            return [];
        var bytes = new byte[Stride * MaxEntries];
        for (int i = 0; i < MaxEntries && (i + 1) * ValueSize <= Contents.Length; i++)
            Contents.AsSpan(i * ValueSize, ValueSize).CopyTo(bytes.AsSpan(i * Stride));
        return bytes;
    }
}

/// <summary>One run of a unit's entry.</summary>
/// <param name="Memory">What r1 points to.</param>
/// <param name="Arguments">r2 and on, at most four.</param>
public sealed record TestInput(byte[] Memory, params ulong[] Arguments);

/// <summary>What a run leaves behind: r0, the memory, and the contents of all writable variables and array maps in order.</summary>
public sealed record TestOutcome(ulong Result, byte[] Memory, IReadOnlyList<byte[]> Variables, IReadOnlyList<byte[]> Maps)
{
    public bool Agrees(TestOutcome other) =>
        Result == other.Result && Memory.AsSpan().SequenceEqual(other.Memory) && Same(Variables, other.Variables) && Same(Maps, other.Maps);

    private static bool Same(IReadOnlyList<byte[]> a, IReadOnlyList<byte[]> b)
    {
        if (a.Count != b.Count)
            return false;
        for (int i = 0; i < a.Count; i++)
        {
            if (!a[i].AsSpan().SequenceEqual(b[i]))
                return false;
        }

        return true;
    }
}

/// <summary>
/// A test program with everything that belongs to it: functions, maps, variables and inputs. Units share nothing, so
/// any number of them goes into one object; the names in it are unique within the unit and get a prefix in the object.
/// </summary>
public sealed class TestUnit
{
    public required string Name { get; init; }

    public required IReadOnlyList<TestFunction> Functions { get; init; }

    public IReadOnlyList<TestMap> Maps { get; init; } = [];

    public IReadOnlyList<TestVariable> Variables { get; init; } = [];

    /// <summary>Index of the function that the host calls.</summary>
    public int Entry { get; init; }

    public required IReadOnlyList<TestInput> Inputs { get; init; }

    /// <summary>Made so that a verifier may accept it: then it is compiled as verified code.</summary>
    public bool IsVerifiable { get; init; }

    /// <summary>The unit with every slot changed in some way.</summary>
    public TestUnit WithSlots(Func<Slot, Slot> change) =>
        With([.. Functions.Select(f => new TestFunction { Name = f.Name, Place = f.Place, Slots = [.. f.Slots.Select(change)], References = f.References })]);

    /// <summary>The unit with other functions, and what else is given.</summary>
    public TestUnit With(
        IReadOnlyList<TestFunction> functions, IReadOnlyList<TestInput>? inputs = null, IReadOnlyList<TestMap>? maps = null, int? entry = null) => new()
        {
            Name = Name,
            Functions = functions,
            Maps = maps ?? Maps,
            Variables = Variables,
            Entry = entry ?? Entry,
            Inputs = inputs ?? Inputs,
            IsVerifiable = IsVerifiable,
        };

    public int SlotCount => Functions.Sum(static f => f.Slots.Count);
}
