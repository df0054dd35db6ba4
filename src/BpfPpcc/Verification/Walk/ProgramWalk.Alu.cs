using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Arithmetic: scalars by the abstract domain, pointers by an allow-list.</summary>
internal sealed partial class ProgramWalk
{
    private bool StepAlu(BpfInstruction instruction)
    {
        if (!CheckWritable(instruction) || !CheckConstantOperand(instruction))
            return false;
        switch (instruction.AluCode)
        {
            case BpfAluCode.MOV:
                return StepMove(instruction);
            case BpfAluCode.END:
            case BpfAluCode.NEG:
                return StepUnary(instruction);
            case BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.DIV or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.LSH
                or BpfAluCode.RSH or BpfAluCode.MOD or BpfAluCode.XOR or BpfAluCode.ARSH:
                return StepBinary(instruction);
        }

        throw new InvalidOperationException($"ALU code {instruction.AluCode} passed the structure check");
    }

    private bool CheckWritable(BpfInstruction instruction)
    {
        if (instruction.WrittenRegister != BpfEncoding.FramePointer)
            return true;
        return Fail(InstructionMeaning.FramePointerWritten);
    }

    private bool Fail(InstructionFault fault) => Fail(fault.Id, fault.Message, fault.Help);

    /// <summary>Constants that nobody divides or shifts by on purpose.</summary>
    private bool CheckConstantOperand(BpfInstruction instruction) =>
        InstructionMeaning.FindArithmeticFault(instruction) is not { } fault || Fail(fault);

    private bool StepMove(BpfInstruction instruction)
    {
        bool is32 = instruction.Class == BpfClass.ALU;
        if (instruction.Source == BpfSource.K)
        {
            Registers[instruction.Dst] = RegisterState.ConstantScalar(is32 ? (uint)instruction.Imm : instruction.Imm, _slot);
            return true;
        }

        if (!CheckReadable(instruction.Src))
            return false;
        if (BpfEncoding.IsAddressSpaceCast(instruction))
            return StepAddressSpaceCast(instruction);
        RegisterState source = Register(instruction.Src);
        int width = BpfEncoding.SignExtendingMoveWidth(instruction);
        if (!source.IsScalar)
        {
            bool isCopy = !is32 && width == 0;
            Registers[instruction.Dst] = isCopy ? source : NewScalar(is32 ? ScalarBounds.U32 : ScalarBounds.Unknown);
            return true;
        }

        ScalarBounds moved = width != 0
            ? is32 ? ScalarBounds.SignExtend32(width, source.Bounds) : ScalarBounds.SignExtend64(width, source.Bounds)
            : is32 ? ScalarBounds.ZeroExtend(32, source.Bounds) : source.Bounds;
        bool keepsValue = width != 0 ? source.Bounds.UMax < 1UL << (width - 1) : !is32 || source.Bounds.UMax <= uint.MaxValue;
        if (keepsValue)
            Registers[instruction.Dst] = Link(instruction.Src);
        else
            Registers[instruction.Dst] = NewScalar(moved, source.Value);
        return true;
    }

    /// <summary>The register with an id that its copies share, so that a check on one says something of all.</summary>
    private RegisterState Link(int register)
    {
        RegisterState linked = WithLinkId(Registers[register]);
        Registers[register] = linked;
        return linked;
    }

    private RegisterState WithLinkId(RegisterState scalar)
    {
        if (scalar.IsLinkedByOffset)
            scalar = scalar with { Id = 0, IsLinkedByOffset = false, Offset = 0 };
        return scalar.Id != 0 || scalar.Bounds.IsConstant ? scalar : scalar with { Id = NewId() };
    }

    private bool StepUnary(BpfInstruction instruction)
    {
        if (!CheckReadable(instruction.Dst))
            return false;
        RegisterState operand = Register(instruction.Dst);
        bool is32 = instruction.Class == BpfClass.ALU;
        ScalarBounds bounds = operand.IsScalar ? operand.Bounds : ScalarBounds.Unknown;
        ScalarBounds result;
        if (instruction.AluCode == BpfAluCode.NEG)
            result = is32 ? ScalarBounds.Alu32(BpfAluCode.NEG, bounds, bounds) : ScalarBounds.Alu64(BpfAluCode.NEG, bounds, bounds);
        else if (!is32)
            result = ScalarBounds.ByteSwap(instruction.Imm, bounds);
        else if (instruction.Source == BpfSource.K)
            result = ScalarBounds.ToLittleEndian(instruction.Imm, bounds, _module.IsBigEndian);
        else
            result = ScalarBounds.ToBigEndian(instruction.Imm, bounds, _module.IsBigEndian);
        if (_options.KnowsLittleOfArithmetic)
            result = ScalarBounds.Unknown;
        Registers[instruction.Dst] = NewScalar(result, operand.IsScalar ? operand.Value : null);
        return true;
    }

    private bool StepBinary(BpfInstruction instruction)
    {
        bool hasRegister = instruction.Source == BpfSource.X;
        if ((hasRegister && !CheckReadable(instruction.Src)) || !CheckReadable(instruction.Dst))
            return false;
        RegisterState dst = Register(instruction.Dst);
        RegisterState src = hasRegister ? Register(instruction.Src) : RegisterState.ConstantScalar(instruction.Imm, _slot);
        if (dst.Kind == RegisterKind.Arena)
            return true;
        if (dst.IsPointer && src.IsPointer)
            return StepTwoPointers(instruction);
        if (dst.IsPointer || src.IsPointer)
        {
            RegisterState pointer = dst.IsPointer ? dst : src;
            RegisterState scalar = dst.IsPointer ? src : dst;
            MarkPrecise(scalar);
            return StepPointerArithmetic(instruction, pointer, scalar, dst.IsPointer);
        }

        Registers[instruction.Dst] = Compute(instruction, dst, src);
        return true;
    }

    private RegisterState Compute(BpfInstruction instruction, RegisterState dst, RegisterState src)
    {
        bool is64 = instruction.Class == BpfClass.ALU64;
        bool isSigned = BpfEncoding.IsSignedDivision(instruction);
        ScalarBounds result = ShiftsTooFar(instruction.AluCode, src.Bounds, is64 ? 64 : 32) ? is64 ? ScalarBounds.Unknown : ScalarBounds.U32
            : is64 ? ScalarBounds.Alu64(instruction.AluCode, dst.Bounds, src.Bounds, isSigned)
            : ScalarBounds.Alu32(instruction.AluCode, dst.Bounds, src.Bounds, isSigned);
        if (_options.KnowsLittleOfArithmetic && IsLittleKnown(instruction, src.Bounds, is64))
            result = ScalarBounds.Unknown;
        RegisterState computed = NewScalar(result, dst.Value, instruction.Source == BpfSource.X ? src.Value : null);
        bool keepsLink = is64 && instruction.AluCode == BpfAluCode.ADD && dst.Id != 0 && !dst.IsLinkedByOffset && src.Bounds.IsConstant
            && src.Bounds.ConstantValue <= int.MaxValue && instruction.Source == BpfSource.K;
        return keepsLink ? computed with { Id = dst.Id, IsLinkedByOffset = true, Offset = (int)src.Bounds.ConstantValue } : computed;
    }

    /// <summary>RFC 9669 masks the count of a shift, but who shifts so far means something else: as in Linux, nothing is known of the result.</summary>
    private static bool ShiftsTooFar(BpfAluCode code, in ScalarBounds count, int width) =>
        code is BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.ARSH && count.UMax >= (ulong)width;

    /// <summary>From the address that user space sees to the kernel's, or back: any number becomes an address in the arena, which guards itself.</summary>
    private bool StepAddressSpaceCast(BpfInstruction instruction)
    {
        const int UserToKernel = 1;
        if (!Array.Exists(_image.Maps, static map => map.Type == BpfMapType.ARENA))
            return Fail(InstructionMeaning.AddressSpaceCast with { Message = "addr_space_cast is used, but the object has no arena" });
        Registers[instruction.Dst] = instruction.Imm == UserToKernel ? new RegisterState { Kind = RegisterKind.Arena } : RegisterState.UnknownScalar(_slot);
        return true;
    }

    private static bool IsLittleKnown(BpfInstruction instruction, in ScalarBounds second, bool is64) => instruction.AluCode switch
    {
        BpfAluCode.DIV or BpfAluCode.MOD => true,
        BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.ARSH => !second.IsConstant || second.ConstantValue >= (is64 ? 64UL : 32UL),
        BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.NEG or BpfAluCode.XOR
            or BpfAluCode.MOV or BpfAluCode.END => false,
    };

    private bool StepTwoPointers(BpfInstruction instruction)
    {
        if (instruction.AluCode == BpfAluCode.SUB)
        {
            Registers[instruction.Dst] = RegisterState.UnknownScalar(_slot);
            return true;
        }

        return Fail(
            DiagnosticId.PointerArithmetic,
            $"both operands of {Operator(instruction.AluCode)} are pointers (r{instruction.Dst} and r{instruction.Src})",
            "only the difference of two pointers is a number");
    }

    private static string Operator(BpfAluCode code) => code switch
    {
        BpfAluCode.ADD => "+",
        BpfAluCode.SUB => "-",
        BpfAluCode.MUL => "*",
        BpfAluCode.DIV => "/",
        BpfAluCode.OR => "|",
        BpfAluCode.AND => "&",
        BpfAluCode.LSH => "<<",
        BpfAluCode.RSH or BpfAluCode.ARSH => ">>",
        BpfAluCode.NEG => "negation",
        BpfAluCode.MOD => "%",
        BpfAluCode.XOR => "^",
        BpfAluCode.MOV => "assignment",
        BpfAluCode.END => "a byte swap",
    };

    /// <summary>The value of a register; r10 is a pointer to the top of the frame.</summary>
    private RegisterState Register(int register) => register == 10 ? FramePointer(_state.Frame.Number) : Registers[register];

    private readonly RegisterState?[] _framePointers = new RegisterState?[16];

    private RegisterState FramePointer(int frame) =>
        _framePointers[frame] ??= new RegisterState { Kind = RegisterKind.Stack, Size = frame };
}
