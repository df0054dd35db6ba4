using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Emission;

/// <summary>
/// Writes the pseudo instructions that are not terminators: constants and addresses, copies, calls and the loops of atomic operations
/// (ELFv2 ABI, 2.3.2 and 2.3.4; Power ISA book II, B.2).
/// </summary>
internal sealed class PseudoExpansion(CodeBuffer code, TargetDescription target)
{
    /// <summary>bne-.</summary>
    private const int IfClearUnlikely = BranchOptions.IfFalse + BranchOptions.Unlikely;

    /// <summary>CR0[eq], in which stwcx. and stdcx. say that they have stored.</summary>
    private const int Cr0Equal = CrBits.Eq;

    private readonly CodeBuffer _code = code;
    private readonly TargetDescription _target = target;

    /// <param name="gprs">By operand; read for virtual registers only.</param>
    public void Write(MachineInstruction instruction, ReadOnlySpan<Gpr> gprs)
    {
        MachineOperand[] operands = instruction.Operands;
        switch (instruction.Pseudo)
        {
            case MachinePseudo.LoadImmediate:
                WriteImmediate(gprs[0], operands[1].Value);
                break;
            case MachinePseudo.LoadLiteral:
                WriteTocLoad(gprs[0], SymbolId.None, operands[1].Value);
                break;
            case MachinePseudo.LoadAddress:
                WriteAddress(gprs[0], operands[1]);
                break;
            case MachinePseudo.LoadExternAddress:
                WriteTocLoad(gprs[0], operands[1].Symbol, operands[1].Value);
                break;
            case MachinePseudo.Copy:
                WriteMove(gprs[0], gprs[1]);
                break;
            case MachinePseudo.Arguments:
                break;
            case MachinePseudo.CallExtern:
                WriteExternCall(CalleeOf(instruction));
                break;
            case MachinePseudo.CallLocal:
                _code.LocalCalls.Add(new LocalCall(_code.Offset, CalleeOf(instruction)));
                _code.Emit(Ppc64Opcode.Bl, 0);
                break;
            case MachinePseudo.CallIndirect:
                WriteIndirectCall();
                break;
            case MachinePseudo.AtomicReadModifyWrite:
                WriteReadModifyWrite(operands, gprs);
                break;
            case MachinePseudo.AtomicCompareExchange:
                WriteCompareExchange(gprs[0], gprs[1], gprs[2], gprs[3], operands[4].Value == 8);
                break;
            case MachinePseudo.SetCount:
                _code.Emit(Ppc64Opcode.Mtctr, gprs[0].Number);
                break;
            case MachinePseudo.None or MachinePseudo.Jump or MachinePseudo.Branch or MachinePseudo.BranchOnCount or MachinePseudo.Return
                or MachinePseudo.TailCallJump or MachinePseudo.Unreachable:
                throw new InvalidOperationException($"{instruction.Pseudo} is not expanded here");
        }
    }

    public void WriteMove(Gpr to, Gpr from)
    {
        if (to != from)
            _code.Move(to, from);
    }

    private void WriteImmediate(Gpr to, long value)
    {
        Span<Ppc64Instruction> instructions = stackalloc Ppc64Instruction[ImmediateSynthesis.MaxLength];
        int count = ImmediateSynthesis.Synthesize(value, to, instructions);
        foreach (Ppc64Instruction instruction in instructions[..count])
            _code.Add(instruction.Encode());
    }

    /// <summary>Medium code model: an own address is within 2 GiB of the TOC base (ELFv2 ABI, 2.3.4.1).</summary>
    private void WriteAddress(Gpr to, MachineOperand address)
    {
        CheckUsableAsBase(to);
        _code.Relocate(Ppc64Relocation.R_PPC64_TOC16_HA, address.Symbol, address.Value);
        _code.Emit(Ppc64Opcode.Addis, to.Number, Gpr.R2.Number, 0);
        _code.Relocate(Ppc64Relocation.R_PPC64_TOC16_LO, address.Symbol, address.Value);
        _code.Emit(Ppc64Opcode.Addi, to.Number, to.Number, 0);
    }

    /// <summary>Loads the TOC entry that holds symbol plus addend, or the addend alone.</summary>
    private void WriteTocLoad(Gpr to, SymbolId symbol, long addend)
    {
        CheckUsableAsBase(to);
        _code.Relocate(Ppc64Relocation.R_PPC64_TOC16_HA, symbol, addend, throughTocEntry: true);
        _code.Emit(Ppc64Opcode.Addis, to.Number, Gpr.R2.Number, 0);
        _code.Relocate(Ppc64Relocation.R_PPC64_TOC16_LO_DS, symbol, addend, throughTocEntry: true);
        _code.Emit(Ppc64Opcode.Ld, to.Number, 0, to.Number);
    }

    private static void CheckUsableAsBase(Gpr gpr)
    {
        if (gpr.Number == 0)
            throw new InvalidOperationException("an address cannot be formed in r0, which reads as zero in the second instruction");
    }

    private static SymbolId CalleeOf(MachineInstruction call)
    {
        foreach (MachineOperand operand in call.Operands)
        {
            if (operand.Kind == MachineOperandKind.Symbol)
                return operand.Symbol;
        }

        throw new InvalidOperationException($"{call.Pseudo} without a symbol");
    }

    /// <summary>The linker puts the reload of r2 in place of the nop if the callee is in another module (ELFv2 ABI, 2.3.2.2).</summary>
    private void WriteExternCall(SymbolId callee)
    {
        _code.Relocate(Ppc64Relocation.R_PPC64_REL24, callee, 0);
        _code.Emit(Ppc64Opcode.Bl, 0);
        _code.Nop();
    }

    /// <summary>A C function pointer is in r12: ELFv2, the code's address; ELFv1, that of a descriptor {code, TOC, environment}.</summary>
    private void WriteIndirectCall()
    {
        int function = Gpr.R12.Number;
        _code.StoreToFrame(Gpr.R2, _target.TocSaveOffset);
        switch (_target.Abi)
        {
            case Ppc64Abi.ElfV1:
                _code.Emit(Ppc64Opcode.Ld, Gpr.R0.Number, 0, function);
                _code.Emit(Ppc64Opcode.Mtctr, Gpr.R0.Number);
                _code.Emit(Ppc64Opcode.Ld, Gpr.R11.Number, 16, function);
                _code.Emit(Ppc64Opcode.Ld, Gpr.R2.Number, 8, function);
                break;
            case Ppc64Abi.ElfV2:
                _code.Emit(Ppc64Opcode.Mtctr, function);
                break;
        }

        _code.Emit(Ppc64Opcode.Bcctrl, BranchOptions.Always, 0);
        _code.LoadFromFrame(Gpr.R2, _target.TocSaveOffset);
    }

    private void WriteReadModifyWrite(MachineOperand[] operands, ReadOnlySpan<Gpr> gprs)
    {
        (Gpr old, Gpr temporary, Gpr address) = (gprs[0], gprs[1], gprs[2]);
        bool isImmediate = operands[3].Kind == MachineOperandKind.Immediate;
        long value = isImmediate ? operands[3].Value : gprs[3].Number;
        var kind = (AtomicKind)operands[4].Value;
        bool isDoubleword = operands[5].Value == 8;
        bool isOrdered = operands[6].Value != 0;
        if (isOrdered)
            _code.Emit(Ppc64Opcode.Sync);
        int loop = _code.Offset;
        WriteLoadAndReserve(old, address, isDoubleword);
        Gpr stored = kind == AtomicKind.Exchange ? gprs[3] : temporary;
        switch (kind)
        {
            case AtomicKind.Add:
                _code.Emit(isImmediate ? Ppc64Opcode.Addi : Ppc64Opcode.Add, temporary.Number, old.Number, value);
                break;
            case AtomicKind.Or:
                _code.Emit(isImmediate ? Ppc64Opcode.Ori : Ppc64Opcode.Or, temporary.Number, old.Number, value);
                break;
            case AtomicKind.And:
                _code.Emit(isImmediate ? Ppc64Opcode.AndiRc : Ppc64Opcode.And, temporary.Number, old.Number, value);
                break;
            case AtomicKind.Xor:
                _code.Emit(isImmediate ? Ppc64Opcode.Xori : Ppc64Opcode.Xor, temporary.Number, old.Number, value);
                break;
            case AtomicKind.Exchange:
                break;
        }

        WriteStoreConditional(stored, address, isDoubleword);
        _code.Emit(Ppc64Opcode.Bc, IfClearUnlikely, Cr0Equal, loop - _code.Offset);
        if (isOrdered)
            _code.Emit(Ppc64Opcode.Sync);
    }

    private void WriteCompareExchange(Gpr old, Gpr address, Gpr expected, Gpr replacement, bool isDoubleword)
    {
        const int InstructionsBehindFirstBranch = 3;
        _code.Emit(Ppc64Opcode.Sync);
        int loop = _code.Offset;
        WriteLoadAndReserve(old, address, isDoubleword);
        _code.Emit(isDoubleword ? Ppc64Opcode.Cmpd : Ppc64Opcode.Cmpw, 0, old.Number, expected.Number);
        _code.Emit(Ppc64Opcode.Bc, IfClearUnlikely, Cr0Equal, InstructionsBehindFirstBranch * 4);
        WriteStoreConditional(replacement, address, isDoubleword);
        _code.Emit(Ppc64Opcode.Bc, IfClearUnlikely, Cr0Equal, loop - _code.Offset);
        _code.Emit(Ppc64Opcode.Sync);
    }

    private void WriteLoadAndReserve(Gpr to, Gpr address, bool isDoubleword) =>
        _code.Emit(isDoubleword ? Ppc64Opcode.Ldarx : Ppc64Opcode.Lwarx, to.Number, 0, address.Number);

    private void WriteStoreConditional(Gpr value, Gpr address, bool isDoubleword) =>
        _code.Emit(isDoubleword ? Ppc64Opcode.Stdcx : Ppc64Opcode.Stwcx, value.Number, 0, address.Number);
}
