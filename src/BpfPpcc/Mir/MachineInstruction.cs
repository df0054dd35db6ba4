using BpfPpcc.Ppc64;

namespace BpfPpcc.Mir;

/// <summary>
/// Instructions that are not one row of the Power ISA: they stay whole through register allocation and are expanded by emission.
/// Operand orders are given as the assembler would: defs first.
/// </summary>
public enum MachinePseudo : byte
{
    /// <summary>None: the instruction is <see cref="MachineInstruction.Opcode"/>.</summary>
    None,

    /// <summary>def, immediate. A 64-bit constant in one to five instructions. Rematerialisable.</summary>
    LoadImmediate,

    /// <summary>def, immediate. The same, loaded from a TOC entry that the object writer makes. Rematerialisable.</summary>
    LoadLiteral,

    /// <summary>def, symbol. The address of an own map, data section or function through the TOC (addis, addi). Rematerialisable.</summary>
    LoadAddress,

    /// <summary>def, symbol. The address of an extern symbol, loaded from a TOC entry that the object writer makes. Rematerialisable.</summary>
    LoadExternAddress,

    /// <summary>def, use.</summary>
    Copy,

    /// <summary>First instruction of the entry block. defs fixed to r3..r7: the arguments that are used.</summary>
    Arguments,

    /// <summary>def fixed to r3 (or none), symbol of an extern function, uses fixed to r3..r7. bl with a nop behind; clobbers what the ABI lets a callee clobber.</summary>
    CallExtern,

    /// <summary>def fixed to r3 (or none), symbol of a function of this object, uses fixed to r3..r7, and one to r8 if the callee is a <see cref="TailCallRole.Receiver"/>. A bl that needs no relocation; the same clobbers.</summary>
    CallLocal,

    /// <summary>def fixed to r3 (or none), use fixed to r12, uses fixed to r3..r7. A call through a C function pointer.</summary>
    CallIndirect,

    /// <summary>earlydef old, earlydef temporary, use address, value, immediate <see cref="AtomicKind"/>, immediate width in bytes (4, 8), immediate 1 if ordered (fetch forms: sync before and behind). old is the value before; zero-extended for 4 bytes. The value is a use, or an immediate: SI16 to add, UI16 for bits, none to exchange.</summary>
    AtomicReadModifyWrite,

    /// <summary>earlydef old, use address, use expected, use replacement, immediate width (4, 8). Ordered. old is zero-extended for 4 bytes.</summary>
    AtomicCompareExchange,

    /// <summary>use. CTR, for <see cref="BranchOnCount"/>.</summary>
    SetCount,

    // Terminators: the last instruction of every block, and only there.

    /// <summary>block.</summary>
    Jump,

    /// <summary>CR bit, immediate 1 to branch if set or 0 if clear, block if taken, block if not.</summary>
    Branch,

    /// <summary>block if CTR is not 0 after it was decremented, block if it is.</summary>
    BranchOnCount,

    /// <summary>use fixed to r3.</summary>
    Return,

    /// <summary>use fixed to r12 (code address of the target's tail entry), use fixed to r3 (context). Tears down the frame and jumps.</summary>
    TailCallJump,

    /// <summary>No operands. A place that is never reached (trap).</summary>
    Unreachable,
}

/// <summary>The operation of <see cref="MachinePseudo.AtomicReadModifyWrite"/>.</summary>
public enum AtomicKind : byte
{
    Add,
    Or,
    And,
    Xor,
    Exchange,
}

/// <summary>
/// A PPC64 instruction on virtual registers. The operands of a real instruction stand in the order of its row in
/// <see cref="Ppc64InstructionTable"/>; a UseDef field holds the Def there and the tied use follows behind all fields.
/// </summary>
public sealed class MachineInstruction
{
    public MachineInstruction(Ppc64Opcode opcode, int position, params MachineOperand[] operands)
    {
        Opcode = opcode;
        Position = position;
        Operands = operands;
    }

    public MachineInstruction(MachinePseudo pseudo, int position, params MachineOperand[] operands)
    {
        Pseudo = pseudo;
        Position = position;
        Operands = operands;
    }

    /// <summary>The same instruction with other operands.</summary>
    public MachineInstruction WithOperands(MachineOperand[] operands) =>
        Pseudo == MachinePseudo.None ? new(Opcode, Position, operands) : new(Pseudo, Position, operands);

    /// <summary>Means something only if <see cref="Pseudo"/> is None.</summary>
    public Ppc64Opcode Opcode { get; }

    public MachinePseudo Pseudo { get; }

    /// <summary>Slot of the BPF instruction that this comes from, or -1.</summary>
    public int Position { get; }

    public MachineOperand[] Operands { get; }

    /// <summary>True for calls: every volatile GPR, CR0, CR1, CR5..CR7, CTR, LR and XER are lost.</summary>
    public bool ClobbersVolatile => Pseudo is MachinePseudo.CallExtern or MachinePseudo.CallLocal or MachinePseudo.CallIndirect;

    public bool IsTerminator => Pseudo >= MachinePseudo.Jump;

    /// <summary>True if it may be computed again anywhere instead of being kept: it depends on nothing but immediates and symbols.</summary>
    public bool IsRematerializable => Pseudo is MachinePseudo.LoadImmediate or MachinePseudo.LoadLiteral or MachinePseudo.LoadAddress
        or MachinePseudo.LoadExternAddress
        || (Pseudo == MachinePseudo.None && Opcode is Ppc64Opcode.Addi or Ppc64Opcode.Addis
            && Operands[1].Kind is MachineOperandKind.Gpr or MachineOperandKind.Zero);
}
