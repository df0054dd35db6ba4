using System.Collections.Immutable;
using BpfPpcc.Bpf;

namespace BpfPpcc.Verification;

/// <summary>Why a memory access cannot be compiled.</summary>
internal enum AccessFault
{
    /// <summary>What it accesses depends on the path.</summary>
    Ambiguous,

    /// <summary>It touches a packet-pointer field in another way than a 4-byte load.</summary>
    FieldAccess,
}

/// <summary>What the memory accesses of one function do to packet-pointer fields of the context, over all paths and call sites.</summary>
internal sealed class AccessFacts(int slots)
{
    private enum Fact : byte
    {
        /// <summary>No path with a valid base came by yet.</summary>
        Unknown,

        /// <summary>Touches no packet-pointer field.</summary>
        Plain,

        /// <summary>Loads a packet pointer.</summary>
        Redirected,
        Ambiguous,
        FieldAccess,
    }

    private readonly Fact[] _facts = new Fact[slots];
    private readonly Dictionary<int, ContextField> _fields = [];

    /// <summary>Records an access of the instruction at <paramref name="slot"/>, whose base has class <paramref name="address"/>.</summary>
    public void Record(int slot, BpfInstruction instruction, PointerClass address)
    {
        if (address.Kind == PointerKind.None)
            return;
        ContextField? field = address.Kind is PointerKind.Context or PointerKind.MaybeContext
            ? ContextFields.Touched(address.Index, address.Offset + instruction.Offset, instruction.MemoryBytes)
            : null;
        Fact fact = Classify(instruction, address, field);
        if (fact is Fact.Redirected or Fact.FieldAccess && field is { } touched)
            fact = Agree(slot, touched) ? fact : Fact.Ambiguous;
        _facts[slot] = Join(_facts[slot], fact);
    }

    public ImmutableDictionary<int, int> ContextLoads()
    {
        var loads = ImmutableDictionary.CreateBuilder<int, int>();
        foreach ((int slot, ContextField field) in _fields)
        {
            if (_facts[slot] == Fact.Redirected)
                loads.Add(slot, field.NativeOffset);
        }

        return loads.ToImmutable();
    }

    /// <summary>All accesses that cannot be compiled, by ascending slot.</summary>
    public IEnumerable<(int Slot, AccessFault Fault, ContextField? Field)> Faults()
    {
        for (int slot = 0; slot < _facts.Length; slot++)
        {
            if (_facts[slot] == Fact.Ambiguous)
                yield return (slot, AccessFault.Ambiguous, null);
            else if (_facts[slot] == Fact.FieldAccess)
                yield return (slot, AccessFault.FieldAccess, _fields[slot]);
        }
    }

    private static Fact Classify(BpfInstruction instruction, PointerClass address, ContextField? field) => address.Kind switch
    {
        PointerKind.None => Fact.Unknown,
        PointerKind.Other or PointerKind.Frame or PointerKind.MaybeFrame or PointerKind.Function => Fact.Plain,
        PointerKind.Mixed => Fact.Ambiguous,
        PointerKind.MaybeContext => field is null ? Fact.Plain : Fact.Ambiguous,
        PointerKind.Context => field is not { } touched ? Fact.Plain
            : IsPointerLoad(instruction, address.Offset + instruction.Offset, touched) ? Fact.Redirected
            : Fact.FieldAccess,
    };

    private static bool IsPointerLoad(BpfInstruction instruction, int offset, ContextField field) =>
        instruction is { Class: BpfClass.LDX, Mode: BpfMode.MEM, MemoryBytes: 4 } && offset == field.Offset;

    /// <summary>Notes which field the slot touches; false if it touched another one before.</summary>
    private bool Agree(int slot, ContextField field)
    {
        if (_fields.TryAdd(slot, field))
            return true;
        return _fields[slot] == field;
    }

    private static Fact Join(Fact a, Fact b)
    {
        if (a == b || b == Fact.Unknown)
            return a;
        if (a == Fact.Unknown)
            return b;
        return a == Fact.FieldAccess || b == Fact.FieldAccess ? Fact.FieldAccess : Fact.Ambiguous;
    }
}
