using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>What a use of an address r10 + n lets happen to the BPF stack.</summary>
public enum StackUse : byte
{
    /// <summary>Nothing: it is compared.</summary>
    None,

    /// <summary>The access of this load or store, or what this call is known to access; no more.</summary>
    Access,

    /// <summary>C code gets an object that begins there: bytes from n upwards may be read and written, now and later.</summary>
    Object,

    /// <summary>Code of this module may compute other addresses of the frame from it.</summary>
    Anywhere,
}

/// <summary>One use of an address of the BPF stack.</summary>
/// <param name="Low">Offset from r10 of the address, for an access that of the first byte; the lowest, if it is computed.</param>
/// <param name="High">The highest such offset.</param>
/// <param name="Bytes">Of an access: how many, at most.</param>
/// <param name="IsWritten">Of an access: it is not only read.</param>
/// <param name="IsCertain">Of a load, a store or an atomic operation: its address is one of the stack in every run, not on some paths only.</param>
public readonly record struct StackReference(
    IrInstruction User, StackUse Use, long Low, long High, int Bytes = 0, bool IsWritten = false, bool IsCertain = false);

/// <summary>
/// Finds all uses of the addresses of the BPF stack. An address plus an index that is certainly bounded (<see cref="UnsignedBound"/>) is an
/// address again, somewhere in a range, and so is one that a loop moves on a bounded number of times.
/// </summary>
public sealed class StackReferences
{
    /// <summary>Sweeps in search of computed addresses; each finds all those that stand behind their operands.</summary>
    private const int MaxSweeps = 3;

    /// <summary>Larger indices reach everything anyway.</summary>
    private const ulong LargestIndex = 1 << 20;

    private const long LargestStep = 1 << 20;

    private readonly SymbolTable _symbols;
    private readonly bool _knowsAccesses;
    private readonly int _reach;
    private readonly Dictionary<IrInstruction, (long Low, long High)> _computed = [];
    private readonly List<StackReference> _references = [];

    private StackReferences(IrFunction function, SymbolTable symbols)
    {
        _symbols = symbols;
        _knowsAccesses = function.KnowsStackAccesses;
        _reach = function.StackReach;
    }

    /// <summary>In the order of the blocks and their instructions; what does nothing to the stack is left out.</summary>
    public static List<StackReference> Find(IrFunction function, SymbolTable symbols)
    {
        var references = new StackReferences(function, symbols);
        references.FindComputed(function);
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
                references.Note(instruction);
        }

        return references._references;
    }

    private void FindComputed(IrFunction function)
    {
        int before;
        int sweep = 0;
        do
        {
            before = _computed.Count;
            foreach (IrBlock block in function.Blocks)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (instruction is not { Opcode: IrOpcode.Add or IrOpcode.Phi, Width: 64 } || _computed.ContainsKey(instruction))
                        continue;
                    if (instruction.Opcode == IrOpcode.Phi)
                        Count(instruction);
                    else
                        Compute(instruction);
                }
            }
        }
        while (_computed.Count > before && ++sweep < MaxSweeps);
    }

    private void Compute(IrInstruction add)
    {
        for (int i = 0; i < 2; i++)
        {
            if (!TryRange(add.Operands[i], out (long Low, long High) range))
                continue;
            IrInstruction index = add.Operands[1 - i];
            if (index.Opcode == IrOpcode.Constant)
                _computed.Add(add, (unchecked(range.Low + index.Immediate), unchecked(range.High + index.Immediate)));
            else if (UnsignedBound.Of(index, 64) is var bound and <= LargestIndex)
                _computed.Add(add, (range.Low, unchecked(range.High + (long)bound)));
            return;
        }
    }

    /// <summary>An address that is moved on in a loop, as often as something else is counted in it.</summary>
    private void Count(IrInstruction phi)
    {
        if (!InductionVariable.TryMatch(phi, out InductionVariable address) || !TryRange(address.Start, out (long Low, long High) range)
            || address.Step is < -LargestStep or > LargestStep)
        {
            return;
        }

        foreach (IrInstruction other in phi.Block!.Instructions)
        {
            if (other.Opcode != IrOpcode.Phi)
                break;
            if (!InductionVariable.TryMatch(other, out InductionVariable counter) || counter.Latch != address.Latch
                || !counter.TryMostRounds(out long rounds) || rounds > (long)LargestIndex)
            {
                continue;
            }

            long distance = address.Step * rounds;
            _computed.Add(phi, (range.Low + Math.Min(0, distance), range.High + Math.Max(0, distance)));
            return;
        }
    }

    private bool TryRange(IrInstruction value, out (long Low, long High) range)
    {
        range = (value.Immediate, value.Immediate);
        return value.Opcode == IrOpcode.StackAddress
            || (value.Opcode is IrOpcode.Add or IrOpcode.Phi && _computed.TryGetValue(value, out range));
    }

    private void Note(IrInstruction instruction)
    {
        bool isAccess = IrRules.IsMemoryAccess(instruction.Opcode);
        if (isAccess && TryRange(instruction.Operands[0], out (long Low, long High) range))
            NoteAccess(instruction, unchecked(range.Low + instruction.Immediate), unchecked(range.High + instruction.Immediate));
        else if (isAccess || IrRules.IsCall(instruction.Opcode))
            NoteKnown(instruction, isAccess);
        if (_knowsAccesses || (IrRules.IsCall(instruction.Opcode) && !instruction.StackAccesses.IsDefault))
            return;
        for (int i = isAccess ? 1 : 0; i < instruction.Operands.Length; i++)
        {
            if (TryRange(instruction.Operands[i], out range) && UseOf(instruction, i) is not StackUse.None and var use)
                _references.Add(new StackReference(instruction, use, range.Low, range.High));
        }
    }

    private void NoteAccess(IrInstruction access, long low, long high) =>
        _references.Add(new StackReference(access, StackUse.Access, low, high, access.Width / 8, access.Opcode != IrOpcode.Load, IsCertain: true));

    /// <summary>What is known of an access through a pointer that may lead anywhere, or of a call.</summary>
    private void NoteKnown(IrInstruction instruction, bool isAccess)
    {
        if (!instruction.StackAccesses.IsDefault)
        {
            foreach (IrStackAccess access in instruction.StackAccesses)
            {
                int bytes = isAccess ? instruction.Width / 8 : access.High - access.Low;
                _references.Add(new StackReference(instruction, StackUse.Access, access.Low, access.High - bytes, bytes, access.IsWritten));
            }
        }
        else if (_knowsAccesses && !(isAccess && instruction.Operands[0].Opcode == IrOpcode.SymbolAddress))
        {
            _references.Add(new StackReference(instruction, StackUse.Anywhere, -_reach, 0));
        }
    }

    private StackUse UseOf(IrInstruction user, int operand)
    {
        if (user.Opcode == IrOpcode.Branch || (user.Opcode == IrOpcode.Select && operand < 2) || _computed.ContainsKey(user))
            return StackUse.None;
        return user.Opcode == IrOpcode.CallExtern && !MayCallBack(user) ? StackUse.Object : StackUse.Anywhere;
    }

    /// <summary>One of the arguments is, or may be, a function of this module.</summary>
    private bool MayCallBack(IrInstruction call)
    {
        if (!_symbols.HasAny(SymbolKind.FunctionPointer))
            return false;
        foreach (IrInstruction argument in call.Operands)
        {
            if (argument.Opcode == IrOpcode.SymbolAddress && _symbols[argument.Symbol].Kind == SymbolKind.FunctionPointer)
                return true;
            if (argument.Opcode is IrOpcode.Phi or IrOpcode.Select or IrOpcode.Load or IrOpcode.Argument || IrRules.IsCall(argument.Opcode))
                return true;
        }

        return false;
    }
}
