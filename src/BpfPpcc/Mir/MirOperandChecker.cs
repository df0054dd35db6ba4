using BpfPpcc.Ppc64;

namespace BpfPpcc.Mir;

/// <summary>Checks the operands of one instruction against its row of the table, or against what its pseudo instruction says.</summary>
internal static class MirOperandChecker
{
    private const sbyte R3 = 3;
    private const sbyte R7 = 7;
    private const sbyte R8 = 8;
    private const sbyte R12 = 12;

    /// <summary>What is wrong, or null.</summary>
    public static string? Violation(MachineInstruction instruction)
    {
        MachineOperand[] operands = instruction.Operands;
        return FixedRegisterViolation(operands) ?? instruction.Pseudo switch
        {
            MachinePseudo.None => RowViolation(instruction),
            MachinePseudo.LoadImmediate or MachinePseudo.LoadLiteral => Unless(operands.Length == 2 && IsDef(operands[0])
                && operands[1].Kind == MachineOperandKind.Immediate, "wants a def and an immediate"),
            MachinePseudo.LoadAddress or MachinePseudo.LoadExternAddress => Unless(operands.Length == 2 && IsDef(operands[0])
                && IsWholeSymbol(operands[1]), "wants a def and a symbol"),
            MachinePseudo.Copy => Unless(operands.Length == 2 && IsDef(operands[0]) && IsUse(operands[1]), "wants a def and a use"),
            MachinePseudo.Arguments => Unless(Array.TrueForAll(operands, static operand => IsDef(operand)
                && operand.FixedGpr is >= R3 and <= R7), "wants defs in r3..r7"),
            MachinePseudo.CallExtern => CallViolation(operands, allowsCount: false),
            MachinePseudo.CallLocal => CallViolation(operands, allowsCount: true),
            MachinePseudo.CallIndirect => IndirectCallViolation(operands),
            MachinePseudo.AtomicReadModifyWrite => AtomicViolation(operands),
            MachinePseudo.AtomicCompareExchange => Unless(operands.Length == 5 && operands[0].Role == OperandRole.EarlyDef
                && IsUse(operands[1]) && IsUse(operands[2]) && IsUse(operands[3]) && operands[4].Value is 4 or 8,
                "wants an early def, three uses and a width"),
            MachinePseudo.Jump => Unless(operands.Length == 1 && operands[0].Kind == MachineOperandKind.Block, "wants a block"),
            MachinePseudo.Branch => Unless(operands.Length == 4 && operands[0].Kind == MachineOperandKind.CrBit
                && operands[1].Kind == MachineOperandKind.Immediate && operands[1].Value is 0 or 1
                && operands[2].Kind == MachineOperandKind.Block && operands[3].Kind == MachineOperandKind.Block,
                "wants a CR bit, its state and two blocks"),
            MachinePseudo.SetCount => Unless(operands.Length == 1 && IsUse(operands[0]), "wants a use"),
            MachinePseudo.BranchOnCount => Unless(operands.Length == 2 && operands[0].Kind == MachineOperandKind.Block
                && operands[1].Kind == MachineOperandKind.Block, "wants two blocks"),
            MachinePseudo.Return => Unless(operands.Length == 1 && IsUseIn(operands[0], R3), "wants a use in r3"),
            MachinePseudo.TailCallJump => Unless(operands.Length == 2 && IsUseIn(operands[0], R12) && IsUseIn(operands[1], R3),
                "wants a use in r12 and one in r3"),
            MachinePseudo.Unreachable => Unless(operands.Length == 0, "wants no operands"),
        };
    }

    private static string? Unless(bool isRight, string violation) => isRight ? null : violation;

    private static bool IsDef(MachineOperand operand) =>
        operand.Kind == MachineOperandKind.VirtualRegister && operand.Role == OperandRole.Def;

    private static bool IsUse(MachineOperand operand) =>
        operand.Kind == MachineOperandKind.VirtualRegister && operand.Role == OperandRole.Use;

    private static bool IsUseIn(MachineOperand operand, sbyte gpr) => IsUse(operand) && operand.FixedGpr == gpr;

    private static bool IsWholeSymbol(MachineOperand operand) =>
        operand.Kind == MachineOperandKind.Symbol && operand.Modifier == SymbolModifier.None;

    /// <summary>No two uses and no two defs are fixed to one register, and all fixed registers are allocatable.</summary>
    private static string? FixedRegisterViolation(MachineOperand[] operands)
    {
        uint used = 0;
        uint defined = 0;
        foreach (MachineOperand operand in operands)
        {
            if (operand.Kind != MachineOperandKind.VirtualRegister || operand.FixedGpr == MachineOperand.Unconstrained)
                continue;
            if (!CallingConvention.AllocatableGprs.Contains(new Gpr((byte)operand.FixedGpr)))
                return $"fixed to r{operand.FixedGpr}";
            ref uint taken = ref operand.IsDef ? ref defined : ref used;
            uint bit = 1u << operand.FixedGpr;
            if ((taken & bit) != 0)
                return $"r{operand.FixedGpr} twice";
            taken |= bit;
        }

        return null;
    }

    // Pseudo instructions

    private static string? CallViolation(MachineOperand[] operands, bool allowsCount)
    {
        int first = SkipResult(operands);
        if (first >= operands.Length || !IsWholeSymbol(operands[first]))
            return "wants a symbol";
        return ArgumentViolation(operands.AsSpan(first + 1), allowsCount);
    }

    private static string? IndirectCallViolation(MachineOperand[] operands)
    {
        int first = SkipResult(operands);
        if (first >= operands.Length || !IsUseIn(operands[first], R12))
            return "wants a use in r12";
        return ArgumentViolation(operands.AsSpan(first + 1), allowsCount: false);
    }

    private static int SkipResult(MachineOperand[] operands) =>
        operands.Length > 0 && IsDef(operands[0]) && operands[0].FixedGpr == R3 ? 1 : 0;

    private static string? ArgumentViolation(ReadOnlySpan<MachineOperand> arguments, bool allowsCount)
    {
        foreach (MachineOperand argument in arguments)
        {
            if (!IsUse(argument) || !(argument.FixedGpr is >= R3 and <= R7 || (allowsCount && argument.FixedGpr == R8)))
                return "wants arguments in r3..r7";
        }

        return null;
    }

    private static string? AtomicViolation(MachineOperand[] operands) => Unless(operands.Length == 7
        && operands[0].Role == OperandRole.EarlyDef && operands[1].Role == OperandRole.EarlyDef && IsUse(operands[2]) && IsAtomicValue(operands[3], operands[4].Value)
        && operands[4].Value is >= (int)AtomicKind.Add and <= (int)AtomicKind.Exchange && operands[5].Value is 4 or 8
        && operands[6].Value is 0 or 1, "wants two early defs, an address, a value, an operation, a width and whether it is ordered");

    private static bool IsAtomicValue(MachineOperand value, long kind) => IsUse(value) || (value.Kind == MachineOperandKind.Immediate
        && kind != (int)AtomicKind.Exchange && (kind == (int)AtomicKind.Add ? Ppc64Fields.FitsSI16(value.Value) : Ppc64Fields.FitsUI16(value.Value)));

    // Rows of the table

    private static string? RowViolation(MachineInstruction instruction)
    {
        Ppc64InstructionInfo row = Ppc64InstructionTable.Row(instruction.Opcode);
        if ((row.Effects & (Ppc64Effects.Branches | Ppc64Effects.DefinesLr | Ppc64Effects.DefinesCtr)) != 0)
            return $"{row.Mnemonic} is emission's business";
        int next = row.Operands.Length;
        for (int i = 0; i < row.Operands.Length; i++)
        {
            if (i >= instruction.Operands.Length)
                return $"{row.Mnemonic} with {instruction.Operands.Length} operands";
            if (OperandViolation(instruction, row, i) is string violation)
                return $"{row.Mnemonic} operand {i}: {violation}";
            if (row.Operands[i].Access != Ppc64Access.UseDef)
                continue;
            if (next >= instruction.Operands.Length || !IsUse(instruction.Operands[next]) || instruction.Operands[next].TiedTo != i)
                return $"{row.Mnemonic} operand {i}: read and written, without a tied use";
            next++;
        }

        return Unless(next == instruction.Operands.Length, $"{row.Mnemonic} with {instruction.Operands.Length} operands");
    }

    private static string? OperandViolation(MachineInstruction instruction, Ppc64InstructionInfo row, int index)
    {
        MachineOperand operand = instruction.Operands[index];
        (Ppc64Field field, Ppc64Access access) = (row.Operands[index].Field, row.Operands[index].Access);
        return Ppc64Fields.Kind(field) switch
        {
            Ppc64FieldKind.Gpr => RegisterViolation(operand, access),
            Ppc64FieldKind.GprOrZero => operand.Kind == MachineOperandKind.Zero ? null : RegisterViolation(operand, access),
            Ppc64FieldKind.CrField => Unless(operand.Kind == MachineOperandKind.CrField
                && CallingConvention.VolatileCrFields.Contains(operand.Number), "wants a volatile CR field"),
            Ppc64FieldKind.CrBit => Unless(operand.Kind == MachineOperandKind.CrBit
                && CallingConvention.VolatileCrFields.Contains(operand.Number / 4), "wants a bit of a volatile CR field"),
            Ppc64FieldKind.Immediate => ImmediateViolation(instruction, field, operand),
            Ppc64FieldKind.Displacement => DisplacementViolation(field, operand, instruction.Operands[index + 1]),
            Ppc64FieldKind.VsxRegister or Ppc64FieldKind.BranchTarget => "a field that this form does not have",
        };
    }

    private static string? RegisterViolation(MachineOperand operand, Ppc64Access access)
    {
        if (operand.Kind == MachineOperandKind.Gpr)
        {
            bool isRight = access == Ppc64Access.Use && (operand.Gpr == Gpr.R1 || operand.Gpr == Gpr.R2);
            return Unless(isRight, "only r1 and r2 stand for themselves");
        }


        if (operand.Kind != MachineOperandKind.VirtualRegister)
            return "wants a register";
        return Unless(operand.IsDef == access is Ppc64Access.Def or Ppc64Access.UseDef, "read for written or the other way round");
    }

    private static string? ImmediateViolation(MachineInstruction instruction, Ppc64Field field, MachineOperand operand)
    {
        MachineOperand source = instruction.Operands[1];
        return operand.Kind switch
        {
            MachineOperandKind.Immediate => Unless(Ppc64Fields.Fits(field, operand.Value), $"{operand.Value} does not fit"),
            MachineOperandKind.Symbol when operand.Modifier == SymbolModifier.TocHa => Unless(
                instruction.Opcode == Ppc64Opcode.Addis && source == MachineOperand.Physical(Gpr.R2), "@toc@ha elsewhere than added to r2"),
            MachineOperandKind.Symbol => Unless(
                instruction.Opcode == Ppc64Opcode.Addi && operand.Modifier == SymbolModifier.TocLo, "a symbol in an immediate"),
            MachineOperandKind.Frame => Unless(instruction.Opcode == Ppc64Opcode.Addi && source == MachineOperand.Physical(Gpr.R1)
                && Ppc64Fields.FitsSI16(operand.Value), "a frame offset elsewhere than added to r1"),
            MachineOperandKind.VirtualRegister or MachineOperandKind.Gpr or MachineOperandKind.Zero or MachineOperandKind.CrField
                or MachineOperandKind.CrBit or MachineOperandKind.Block => "wants an immediate",
        };
    }

    private static string? DisplacementViolation(Ppc64Field field, MachineOperand operand, MachineOperand register) => operand.Kind switch
    {
        MachineOperandKind.Immediate => Unless(Ppc64Fields.Fits(field, operand.Value), $"{operand.Value} does not fit"),
        MachineOperandKind.Symbol => Unless(operand.Modifier == SymbolModifier.TocLo && IsScaled(field, operand.Value),
            "a symbol that is no displacement"),
        MachineOperandKind.Frame => Unless(register == MachineOperand.Physical(Gpr.R1) && Ppc64Fields.FitsSI16(operand.Value)
            && IsScaled(field, operand.Value), "a frame offset that is no displacement from r1"),
        MachineOperandKind.VirtualRegister or MachineOperandKind.Gpr or MachineOperandKind.Zero or MachineOperandKind.CrField
            or MachineOperandKind.CrBit or MachineOperandKind.Block => "wants a displacement",
    };

    private static bool IsScaled(Ppc64Field field, long value) => field != Ppc64Field.DS || (value & 3) == 0;
}
