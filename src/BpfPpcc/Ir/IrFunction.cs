using System.Collections.Immutable;
using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>One operation and, if it has a type, the value that it computes.</summary>
public sealed class IrInstruction
{
    internal IrInstruction(int id, IrOpcode opcode)
    {
        Id = id;
        Opcode = opcode;
    }

    /// <summary>Number within the function: below <see cref="IrFunction.InstructionCount"/>, so that passes can keep tables in arrays.</summary>
    public int Id { get; }

    public IrOpcode Opcode { get; set; }

    /// <summary>Bits: 8, 16, 32 or 64, as the opcode says; 64 where it says nothing.</summary>
    public byte Width { get; set; } = 64;

    /// <summary>For Branch and Select: the width of the comparison, 32 or 64.</summary>
    public byte CompareWidth { get; set; } = 64;

    public IrCondition Condition { get; set; }

    public IrAtomic Atomic { get; set; }

    /// <summary>For Load: sign-extended.</summary>
    public bool IsSigned { get; set; }

    /// <summary>For memory operations: see the opcode.</summary>
    public bool IsOrdered { get; set; }

    /// <summary>The value is not 0, in any run: the address of something that exists.</summary>
    public bool IsNotZero { get; set; }

    /// <summary>Bits of the value (an I64) that are zero in every run, beyond what the operation itself tells.</summary>
    public ulong ZeroBits { get; set; }

    /// <summary>
    /// For divisions: the operand of which it is proved that, where it stands as the divisor, it is not 0 and, if the division is signed, not -1.
    /// </summary>
    public IrInstruction? PlainDivisor { get; set; }

    /// <summary>
    /// For what accesses memory, and calls: all that it accesses of the function's BPF stack; calls keep no address then. Default: unknown.
    /// </summary>
    public ImmutableArray<IrStackAccess> StackAccesses { get; set; }

    /// <summary>Together with <see cref="StackAccesses"/>: it accesses no BPF stack of a function that called this one.</summary>
    public bool SparesCallers { get; set; }

    public long Immediate { get; set; }

    public SymbolId Symbol { get; set; } = SymbolId.None;

    public IrInstruction[] Operands { get; set; } = [];

    /// <summary>For terminators.</summary>
    public IrBlock[] Targets { get; set; } = [];

    /// <summary>Slot of the BPF instruction that this comes from, or -1.</summary>
    public int Position { get; set; } = -1;

    /// <summary>The block that it is in; null once removed.</summary>
    public IrBlock? Block { get; set; }

    public IrType Type => Opcode switch
    {
        IrOpcode.Store or IrOpcode.TailCall or IrOpcode.Jump or IrOpcode.Branch or IrOpcode.Return or IrOpcode.Unreachable => IrType.None,
        IrOpcode.Phi or IrOpcode.Select or IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.UnsignedDivide
            or IrOpcode.UnsignedRemainder or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor
            or IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft or IrOpcode.Negate
            or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned => Width == 32 ? IrType.I32 : IrType.I64,
        IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress
            or IrOpcode.ZeroExtend or IrOpcode.SignExtend or IrOpcode.ByteSwap or IrOpcode.Load or IrOpcode.AtomicReadModifyWrite
            or IrOpcode.AtomicCompareExchange or IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect => IrType.I64,
    };

    /// <summary>It must stay even if nobody uses its value.</summary>
    public bool HasSideEffect => Opcode is IrOpcode.Store or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange
        or IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect or IrOpcode.TailCall || IsTerminator
        || (Opcode == IrOpcode.Load && IsOrdered);

    public bool IsTerminator => Opcode is IrOpcode.Jump or IrOpcode.Branch or IrOpcode.Return or IrOpcode.Unreachable;
}

/// <summary>Bytes of the BPF stack in [Low, High), counted from r10.</summary>
/// <param name="IsWritten">They may have changed afterwards.</param>
public readonly record struct IrStackAccess(int Low, int High, bool IsWritten);

/// <summary>A basic block: phis first, then straight code, then one terminator.</summary>
public sealed class IrBlock
{
    internal IrBlock(int id) => Id = id;

    /// <summary>Number within the function: below <see cref="IrFunction.BlockCount"/>.</summary>
    public int Id { get; }

    public List<IrInstruction> Instructions { get; } = [];

    /// <summary>In the order of the phis' operands, each block once.</summary>
    public List<IrBlock> Predecessors { get; } = [];

    public IrInstruction Terminator => Instructions[^1];

    public ReadOnlySpan<IrBlock> Successors => Terminator.Targets;
}

/// <summary>What a function is to the world, decided by lifting.</summary>
public enum IrFunctionKind : byte
{
    /// <summary>
    /// A row in bpf_progs; owns a tail-call count. If BPF code calls the program too and must not see it as C does, this is a wrapper that
    /// calls the code as a subprogram.
    /// </summary>
    Program,

    /// <summary>Called by BPF code of this module, perhaps also by C.</summary>
    Subprogram,

    /// <summary>
    /// What C calls in place of a subprogram that only BPF code may call as it is: forwards the arguments, extends the result, and owns a
    /// tail-call count of its own, which the subprogram that it calls shares.
    /// </summary>
    Thunk,
}

/// <summary>A function in SSA form. Blocks[0] is the entry and has no predecessors.</summary>
public sealed class IrFunction
{
    /// <summary>Name in prints, and of the ELF symbol.</summary>
    public required string Name { get; init; }

    /// <summary>Index of the BPF function that it comes from (of the callee, for a thunk).</summary>
    public required int FunctionIndex { get; init; }

    public required IrFunctionKind Kind { get; init; }

    /// <summary>The symbol (FunctionCode) under which this module calls it; none for a thunk and a wrapper.</summary>
    public required SymbolId Symbol { get; init; }

    /// <summary>
    /// C calls it by its name, or by a pointer that the module hands out. Of the functions with one <see cref="FunctionIndex"/> at most one
    /// is so: it is what a FunctionPointer symbol of that index leads to.
    /// </summary>
    public required bool IsCallableFromC { get; init; }

    /// <summary>It, or a subprogram that it reaches, makes a tail call.</summary>
    public required bool ReachesTailCall { get; init; }

    /// <summary>Data in memory is big-endian.</summary>
    public required bool IsBigEndian { get; init; }

    /// <summary>
    /// <see cref="IrInstruction.StackAccesses"/> tells of all accesses, so that it does not matter where addresses of the stack go. What has none
    /// all the same may access anything.
    /// </summary>
    public bool KnowsStackAccesses { get; set; }

    /// <summary>
    /// Bytes of BPF stack that the code may touch, a multiple of 8; more than 512 only with the stacks of inlined functions, or if unverified
    /// code names more.
    /// </summary>
    public int StackSize { get; set; }

    /// <summary>Bytes of BPF stack that code which computes addresses may reach.</summary>
    public int StackReach { get; set; } = StackExtent.Full;

    public List<IrBlock> Blocks { get; } = [];

    public int InstructionCount { get; private set; }

    public int BlockCount { get; private set; }

    public IrBlock Entry => Blocks[0];

    /// <summary>A new block, not yet in <see cref="Blocks"/>.</summary>
    public IrBlock NewBlock() => new(BlockCount++);

    /// <summary>A new instruction, in no block yet.</summary>
    public IrInstruction NewInstruction(IrOpcode opcode) => new(InstructionCount++, opcode);

    /// <summary>A new instruction that does the same with the same operands and targets, in no block yet.</summary>
    public IrInstruction NewCopy(IrInstruction original)
    {
        IrInstruction copy = NewInstruction(original.Opcode);
        copy.Width = original.Width;
        copy.CompareWidth = original.CompareWidth;
        copy.Condition = original.Condition;
        copy.Atomic = original.Atomic;
        copy.IsSigned = original.IsSigned;
        copy.IsOrdered = original.IsOrdered;
        copy.IsNotZero = original.IsNotZero;
        copy.ZeroBits = original.ZeroBits;
        copy.PlainDivisor = original.PlainDivisor;
        copy.StackAccesses = original.StackAccesses;
        copy.SparesCallers = original.SparesCallers;
        copy.Immediate = original.Immediate;
        copy.Symbol = original.Symbol;
        copy.Operands = [.. original.Operands];
        copy.Targets = [.. original.Targets];
        copy.Position = original.Position;
        return copy;
    }
}
