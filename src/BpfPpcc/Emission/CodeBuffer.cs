using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Emission;

/// <summary>A branch between blocks: one word whose displacement is filled in when all blocks are placed.</summary>
/// <param name="Word">Index of the word.</param>
/// <param name="Target">Block.</param>
/// <param name="Options"><see cref="BranchOptions"/>: Always, or on a CR bit.</param>
/// <param name="CrBit">CR bit of a conditional branch.</param>
internal readonly record struct BranchSite(int Word, int Target, int Options, int CrBit)
{
    public bool IsConditional => Options != BranchOptions.Always;
}

/// <summary>
/// The code of one function while it is written: words and everything that is tied to places among them. Each list is ordered by place,
/// because code is written front to back.
/// </summary>
internal sealed class CodeBuffer
{
    private uint[] _words = new uint[64];

    /// <summary>Number of words.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes written so far: the offset of the next instruction.</summary>
    public int Offset => Count * 4;

    public ReadOnlySpan<uint> Words => _words.AsSpan(0, Count);

    public List<CodeRelocation> Relocations { get; } = [];

    public List<LocalCall> LocalCalls { get; } = [];

    public List<BranchSite> Branches { get; } = [];

    /// <summary>Before the first the state is <see cref="FrameState.Outside"/>.</summary>
    public List<FrameMark> FrameMarks { get; } = [];

    public List<CodePosition> Positions { get; } = [];

    /// <summary>Adds an instruction. Operands as the assembler writes them; registers, CR fields and CR bits by number.</summary>
    public void Emit(Ppc64Opcode opcode, params ReadOnlySpan<long> operands) => Add(Ppc64Encoder.Encode(opcode, operands));

    public void Add(uint word)
    {
        if (Count == _words.Length)
            Array.Resize(ref _words, Count * 2);
        _words[Count++] = word;
    }

    /// <summary>li.</summary>
    public void LoadImmediate16(Gpr target, short value) => Emit(Ppc64Opcode.Addi, target.Number, 0, value);

    /// <summary>mr.</summary>
    public void Move(Gpr target, Gpr source) => Emit(Ppc64Opcode.Or, target.Number, source.Number, source.Number);

    /// <summary>nop, in the form that linkers look for behind a call.</summary>
    public void Nop() => Emit(Ppc64Opcode.Ori, 0, 0, 0);

    /// <summary>ld from a displacement of r1.</summary>
    public void LoadFromFrame(Gpr target, int displacement) => Emit(Ppc64Opcode.Ld, target.Number, displacement, Gpr.R1.Number);

    /// <summary>std to a displacement of r1.</summary>
    public void StoreToFrame(Gpr source, int displacement) => Emit(Ppc64Opcode.Std, source.Number, displacement, Gpr.R1.Number);

    /// <summary>blr.</summary>
    public void ReturnToLink() => Emit(Ppc64Opcode.Bclr, BranchOptions.Always, 0);

    /// <summary>bctr.</summary>
    public void JumpToCount() => Emit(Ppc64Opcode.Bcctr, BranchOptions.Always, 0);

    /// <summary>b, to a block.</summary>
    public void Jump(int target) => Branch(target, BranchOptions.Always, 0);

    /// <summary>bc, to a block.</summary>
    public void Branch(int target, int options, int crBit)
    {
        Branches.Add(new BranchSite(Count, target, options, crBit));
        Add(0);
    }

    /// <summary>The conditional branch just written goes to <paramref name="target"/> in the opposite case.</summary>
    public void InvertLastBranch(int target)
    {
        BranchSite site = Branches[^1];
        Branches[^1] = site with { Target = target, Options = BranchOptions.Invert(site.Options) };
    }

    /// <summary>The next instruction gets a relocation.</summary>
    public void Relocate(Ppc64Relocation type, SymbolId symbol, long addend, bool throughTocEntry = false) =>
        Relocations.Add(new CodeRelocation(Offset, type, symbol, addend, throughTocEntry));

    /// <summary>The frame is in this state from the next instruction on.</summary>
    public void MarkFrame(FrameState state)
    {
        if (FrameMarks.Count != 0 && FrameMarks[^1].CodeOffset == Offset)
            FrameMarks.RemoveAt(FrameMarks.Count - 1);
        if (FrameMarks.Count == 0 || FrameMarks[^1].State != state)
            FrameMarks.Add(new FrameMark(Offset, state));
    }

    /// <summary>The next instruction comes from this BPF slot (-1: from none, which belongs to whatever came before).</summary>
    public void MarkPosition(int slot)
    {
        if (slot < 0 || (Positions.Count != 0 && Positions[^1].Slot == slot))
            return;
        if (Positions.Count != 0 && Positions[^1].CodeOffset == Offset)
            Positions.RemoveAt(Positions.Count - 1);
        Positions.Add(new CodePosition(Offset, slot));
    }
}
