using System.Runtime.InteropServices;
using BpfPpcc.Ir;
using BpfPpcc.Symbols;

namespace BpfPpcc.Optimization;

/// <summary>
/// The part of a function's BPF stack that stays in memory and of which all accesses are known: no code that keeps an address can reach it.
/// Its bytes are numbered from the lowest address on.
/// </summary>
internal sealed class StackMemory
{
    /// <summary>Code that names more is broken, or a test.</summary>
    private const int LargestFrame = 2048;

    private readonly List<StackReference> _references;

    /// <summary>By instruction: its first reference, or -1.</summary>
    private readonly int[] _first;
    private readonly long _lowest;

    private StackMemory(IrFunction function, List<StackReference> references, long lowest, long end)
    {
        _references = references;
        _lowest = lowest;
        Bytes = (int)(end - lowest);
        _first = new int[function.InstructionCount];
        Array.Fill(_first, -1);
        for (int i = references.Count - 1; i >= 0; i--)
            _first[references[i].User.Id] = i;
    }

    /// <summary>How many bytes there are.</summary>
    public int Bytes { get; }

    /// <summary>Null if there is no such part.</summary>
    public static StackMemory? Find(IrFunction function, SymbolTable symbols)
    {
        List<StackReference> references = StackReferences.Find(function, symbols);
        long lowest = 0, end = 0;
        foreach (StackReference reference in references)
        {
            switch (reference.Use)
            {
                case StackUse.None:
                    break;
                case StackUse.Access:
                    lowest = Math.Min(lowest, reference.Low);
                    break;
                case StackUse.Object:
                    end = Math.Min(end, reference.Low);
                    break;
                case StackUse.Anywhere:
                    return null;
            }
        }

        return end - lowest is > 0 and <= LargestFrame ? new StackMemory(function, references, lowest, end) : null;
    }

    /// <summary>What an instruction does to the stack.</summary>
    public ReadOnlySpan<StackReference> Of(IrInstruction instruction)
    {
        int first = instruction.Id < _first.Length ? _first[instruction.Id] : -1;
        if (first < 0)
            return [];
        int end = first + 1;
        while (end < _references.Count && _references[end].User == instruction)
            end++;
        return CollectionsMarshal.AsSpan(_references)[first..end];
    }

    /// <summary>The bytes that an access may touch.</summary>
    public (int From, int To) Touched(in StackReference reference) =>
        reference.Use == StackUse.Access ? (Clip(reference.Low), Clip(reference.High + reference.Bytes)) : (0, 0);

    /// <summary>
    /// Whether a load or store accesses the bytes at one place only and no other memory, in no special order, and all of them are tracked.
    /// </summary>
    public bool IsPlain(IrInstruction access, in StackReference reference) =>
        access is { Opcode: IrOpcode.Load or IrOpcode.Store, IsOrdered: false } && reference is { Use: StackUse.Access, IsCertain: true }
        && reference.Low == reference.High && reference.Low + reference.Bytes - _lowest <= Bytes;

    private int Clip(long offset) => (int)Math.Clamp(offset - _lowest, 0, Bytes);
}
