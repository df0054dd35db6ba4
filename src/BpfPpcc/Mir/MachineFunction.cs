using BpfPpcc.Symbols;

namespace BpfPpcc.Mir;

/// <summary>What a function does about the tail-call count (object-abi.md, Entry, exit and tail calls).</summary>
public enum TailCallRole : byte
{
    /// <summary>Neither it nor a subprogram that it reaches makes a tail call.</summary>
    None,

    /// <summary>It keeps a count: set to 0 by its first two instructions, which those who arrive by a tail call skip.</summary>
    Owner,

    /// <summary>A subprogram: it receives the pointer to a count in r8 and keeps that in its slot.</summary>
    Receiver,
}

/// <summary>A basic block. Values enter by parameters, in SSA.</summary>
public sealed class MachineBlock(int index)
{
    public int Index { get; } = index;

    /// <summary>Block parameters; the entry block has none.</summary>
    public List<VirtualRegister> Parameters { get; } = [];

    /// <summary>Straight code; the last instruction is a terminator and no other is.</summary>
    public List<MachineInstruction> Instructions { get; } = [];

    /// <summary>Successors, in the order of the terminator's block operands; no block stands in it twice.</summary>
    public List<MachineEdge> Successors { get; } = [];

    public List<int> Predecessors { get; } = [];

    /// <summary>How often it runs relative to the entry, as far as is known: 10 to the power of loop depth, less on unlikely paths.</summary>
    public float Frequency { get; set; } = 1;

    public MachineInstruction Terminator => Instructions[^1];
}

/// <summary>An edge to a block, with one argument for each of its parameters.</summary>
public sealed record MachineEdge(int Target, VirtualRegister[] Arguments);

/// <summary>
/// A function in PPC64 instructions on virtual registers: SSA with block parameters. Invariants (see the checker): every block is
/// reachable and ends with one terminator; an edge from a block with several successors leads to a block with one predecessor or without
/// parameters (critical edges that carry values are split); a CR field is defined and used within one block with no other definition of it
/// and no call in between; CTR is set on every way to a branch on it, with no call in between; block 0 is the entry and has no predecessors. Not changed by register allocation.
/// </summary>
public sealed class MachineFunction
{
    /// <summary>Name in prints, and of the ELF symbol.</summary>
    public required string Name { get; init; }

    /// <summary>Index of the BPF function that it comes from; a thunk has its callee's.</summary>
    public required int FunctionIndex { get; init; }

    /// <summary>The symbol (FunctionCode) under which this object calls it; none for what only C calls.</summary>
    public required SymbolId Symbol { get; init; }

    /// <summary>C calls it, by name or by pointer: it needs a global entry if it needs the TOC.</summary>
    public required bool IsCallableFromC { get; init; }

    /// <summary>An entry in bpf_progs: has the two set-up instructions or nops, and a tail entry behind them.</summary>
    public required bool IsProgram { get; init; }

    public required TailCallRole TailCallRole { get; init; }

    /// <summary>Bytes of BPF stack that must exist below BPF r10, a multiple of 8, 0..512.</summary>
    public required int BpfStackSize { get; init; }

    public List<MachineBlock> Blocks { get; } = [];

    public int VirtualRegisterCount { get; set; }

    /// <summary>r2 must be right in it: it refers to symbols through the TOC, calls extern functions or tail-calls, or calls a function that does.</summary>
    public bool NeedsToc { get; set; }

    public VirtualRegister NewRegister() => new(VirtualRegisterCount++);
}
