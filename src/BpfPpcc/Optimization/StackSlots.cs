using BpfPpcc.Ir;
using BpfPpcc.Symbols;

namespace BpfPpcc.Optimization;

/// <summary>Bytes of the BPF stack that every access touches all or none of: what becomes one value.</summary>
internal readonly record struct StackPiece(long Offset, int Bytes);

/// <summary>A load or store and the pieces that it consists of, by number, from the lowest address upwards.</summary>
internal readonly record struct StackAccess(IrInstruction Instruction, int FirstPiece, int Pieces);

/// <summary>
/// Divides the BPF stack of a function into pieces that no other code can reach. Accesses that overlap form a group; its bytes are cut where
/// any of its accesses begins or ends. A group stays in memory as a whole if a load would have to be put together from many pieces.
/// </summary>
internal sealed class StackSlots
{
    /// <summary>A load of two pieces costs a shift and an or; of more it is better done by memory.</summary>
    private const int MostPiecesOfLoad = 2;

    private readonly List<IrInstruction> _accesses = [];
    private readonly List<long> _offsets = [];
    private readonly List<(long Low, long High)> _reserved = [];
    private long _reachableFrom;

    private StackSlots()
    {
    }

    public List<StackPiece> Pieces { get; } = [];

    public List<StackAccess> Accesses { get; } = [];

    public static StackSlots Find(IrFunction function, SymbolTable symbols)
    {
        var slots = new StackSlots();
        slots.Scan(function, symbols);
        IrInstruction[] accesses = [.. slots._accesses];
        long[] offsets = [.. slots._offsets];
        Array.Sort(offsets, accesses);
        slots._reserved.Sort();
        slots.DivideGroups(accesses, offsets);
        return slots;
    }

    /// <summary>Collects the accesses at known offsets, the ranges of the others, and the offset from which on others may reach the stack.</summary>
    private void Scan(IrFunction function, SymbolTable symbols)
    {
        foreach (StackReference reference in StackReferences.Find(function, symbols))
        {
            switch (reference.Use)
            {
                case StackUse.Access when reference.IsCertain && reference.Low == reference.High:
                    _accesses.Add(reference.User);
                    _offsets.Add(reference.Low);
                    break;
                case StackUse.Access:
                    _reserved.Add((reference.Low, reference.High + reference.Bytes));
                    break;
                case StackUse.Object:
                    _reachableFrom = Math.Min(_reachableFrom, reference.Low);
                    break;
                case StackUse.Anywhere:
                    _reachableFrom = long.MinValue;
                    break;
                case StackUse.None:
                    break;
            }
        }
    }

    private void DivideGroups(IrInstruction[] accesses, long[] offsets)
    {
        int reserved = 0;
        long reservedEnd = long.MinValue;
        for (int first = 0; first < accesses.Length;)
        {
            long end = offsets[first] + Bytes(accesses[first]);
            int next = first + 1;
            while (next < accesses.Length && offsets[next] < end)
                end = Math.Max(end, offsets[next] + Bytes(accesses[next++]));
            while (reserved < _reserved.Count && _reserved[reserved].Low < end)
                reservedEnd = Math.Max(reservedEnd, _reserved[reserved++].High);
            if (end <= _reachableFrom && reservedEnd <= offsets[first])
                DivideGroup(accesses.AsSpan(first, next - first), offsets.AsSpan(first, next - first));
            first = next;
        }
    }

    private void DivideGroup(ReadOnlySpan<IrInstruction> accesses, ReadOnlySpan<long> offsets)
    {
        foreach (IrInstruction access in accesses)
        {
            if (access.Opcode is not (IrOpcode.Load or IrOpcode.Store) || access.IsOrdered)
                return;
        }

        List<long> cuts = Cuts(accesses, offsets);
        int firstPiece = Pieces.Count;
        int firstAccess = Accesses.Count;
        for (int i = 0; i + 1 < cuts.Count; i++)
            Pieces.Add(new StackPiece(cuts[i], (int)(cuts[i + 1] - cuts[i])));
        for (int i = 0; i < accesses.Length; i++)
        {
            int piece = cuts.BinarySearch(offsets[i]);
            int count = cuts.BinarySearch(offsets[i] + Bytes(accesses[i])) - piece;
            if (accesses[i].Opcode == IrOpcode.Load && count > MostPiecesOfLoad)
            {
                Pieces.RemoveRange(firstPiece, Pieces.Count - firstPiece);
                Accesses.RemoveRange(firstAccess, Accesses.Count - firstAccess);
                return;
            }

            Accesses.Add(new StackAccess(accesses[i], firstPiece + piece, count));
        }
    }

    /// <summary>Where the accesses of a group begin or end, ascending, each place once.</summary>
    private static List<long> Cuts(ReadOnlySpan<IrInstruction> accesses, ReadOnlySpan<long> offsets)
    {
        var all = new List<long>(2 * accesses.Length);
        for (int i = 0; i < accesses.Length; i++)
        {
            all.Add(offsets[i]);
            all.Add(offsets[i] + Bytes(accesses[i]));
        }

        all.Sort();
        int kept = 1;
        for (int i = 1; i < all.Count; i++)
        {
            if (all[i] != all[kept - 1])
                all[kept++] = all[i];
        }

        all.RemoveRange(kept, all.Count - kept);
        return all;
    }

    private static int Bytes(IrInstruction access) => access.Width / 8;
}
