using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Arithmetic of a pointer and a scalar.</summary>
internal sealed partial class ProgramWalk
{
    /// <summary>Linux's BPF_MAX_VAR_OFF: no offset of a pointer reaches this far.</summary>
    private const long MaximumOffset = 1 << 29;

    private bool StepPointerArithmetic(BpfInstruction instruction, RegisterState pointer, RegisterState scalar, bool isPointerFirst)
    {
        int register = isPointerFirst ? instruction.Dst : instruction.Src;
        if (instruction.Class != BpfClass.ALU64)
            return StepPointer32(instruction, pointer);
        if (!CheckArithmeticAllowed(instruction, pointer, scalar, register))
            return false;
        if (!CheckSaneOffset(scalar, 0, pointer) || !CheckSaneOffset(pointer, pointer.Offset, pointer))
            return false;
        RegisterState result;
        if (instruction.AluCode == BpfAluCode.ADD)
        {
            result = Add(pointer, scalar);
        }
        else
        {
            if (!isPointerFirst)
            {
                return Fail(
                    DiagnosticId.PointerArithmetic, "a pointer cannot be subtracted from a number",
                    "subtract the number from the pointer, or two pointers from one another");
            }

            if (pointer.Kind == RegisterKind.Stack)
            {
                return Fail(
                    DiagnosticId.PointerArithmetic, $"{DescribeRegister("the pointer", register)} points to the stack, and nothing may be subtracted from it", "add a negative number instead");
            }

            result = Subtract(pointer, scalar);
        }

        if (!CheckSaneOffset(result, result.Offset, pointer))
            return false;
        Registers[instruction.Dst] = result;
        return true;
    }

    private bool StepPointer32(BpfInstruction instruction, RegisterState pointer)
    {
        if (instruction.AluCode != BpfAluCode.SUB)
        {
            return Fail(
                DiagnosticId.PointerArithmetic, $"{Describe(pointer)} is cut in half by the 32-bit operation {Operator(instruction.AluCode)}",
                "do arithmetic with pointers in pointer types or in unsigned long");
        }

        Registers[instruction.Dst] = NewScalar(ScalarBounds.U32);
        return true;
    }

    private bool CheckArithmeticAllowed(BpfInstruction instruction, RegisterState pointer, RegisterState scalar, int register)
    {
        if (pointer.MaybeNull)
        {
            return Fail(
                DiagnosticId.PointerMaybeNull, $"{PointerName(register)} may be NULL here, and there is arithmetic with it before a test",
                $"test the pointer before it is used: if (!{SourceExpression.PointerOf(Expression()) ?? "p"}) return 0;", pointer);
        }

        if (instruction.AluCode is not (BpfAluCode.ADD or BpfAluCode.SUB))
        {
            return Fail(
                DiagnosticId.PointerArithmetic, $"{DescribeRegister("an operand", register)} is {Describe(pointer)}, for which {Operator(instruction.AluCode)} is not allowed",
                "only + and - keep a pointer a pointer");
        }

        bool addsZero = instruction.AluCode == BpfAluCode.ADD && scalar.Bounds.IsConstant && scalar.Bounds.ConstantValue == 0;
        bool isAllowed = pointer.Kind switch
        {
            RegisterKind.Context or RegisterKind.MapValue or RegisterKind.MapKey or RegisterKind.Stack or RegisterKind.PacketMeta
                or RegisterKind.Packet or RegisterKind.TracepointBuffer or RegisterKind.BtfObject or RegisterKind.Memory or RegisterKind.Buffer
                or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena => true,
            RegisterKind.FlowKeys => scalar.Bounds.IsConstant,
            RegisterKind.MapPointer => addsZero,
            RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.PacketEnd or RegisterKind.Socket or RegisterKind.SockCommon
                or RegisterKind.TcpSock or RegisterKind.XdpSock => false,
        };
        return isAllowed || Fail(
            DiagnosticId.PointerArithmetic, $"{DescribeRegister("an operand", register)} is {Describe(pointer)}: no arithmetic is allowed with it",
            "use the pointer as it is");
    }

    /// <param name="added">What holds the variable offset.</param>
    private bool CheckSaneOffset(RegisterState added, int offset, RegisterState pointer)
    {
        ref readonly ScalarBounds bounds = ref added.Bounds;
        if (offset is >= (int)MaximumOffset or <= -(int)MaximumOffset)
            return FailOffset($"the offset {offset} into {Describe(pointer)} is out of any bounds", added);
        return (bounds.SMin is > -MaximumOffset and < MaximumOffset) || FailUnbounded(added, pointer);
    }

    private bool FailUnbounded(RegisterState added, RegisterState pointer)
    {
        ref readonly ScalarBounds bounds = ref added.Bounds;
        string message = SourceExpression.IndexOf(Expression()) is { } name
            ? $"the index '{name}' has no bound: the offset that it makes into {DescribePointee(pointer)} is {DescribeRange(bounds)}"
            : $"the offset that is added to {DescribePointee(pointer)} has no bound: it is {DescribeRange(bounds)}";
        return Fail(
            DiagnosticId.OffsetUnbounded, message,
            KnowsLowHalfOnly(bounds)
                ? $"the check was made on a copy of 32 bits: compare the 64-bit variable itself, or make '{IndexName()}' 32 bits wide"
                : $"check the very variable that is used as the index, before it is used: if ({IndexName()} >= N) return 0; (for a signed one {IndexName()} < 0 as well)",
            added);
    }

    private static string DescribePointee(RegisterState pointer) => pointer switch
    {
        { Kind: RegisterKind.MapValue, Map: { Section: null } map } => $"a value of {DescribeMap(map)}",
        { Kind: RegisterKind.MapValue } => DescribeVariable(pointer),
        _ => Describe(pointer),
    };

    private bool FailOffset(string message, RegisterState added) =>
        Fail(DiagnosticId.OffsetUnbounded, message, "check the number before it is added to the pointer: if (i >= N) return 0;", added);

    private RegisterState Add(RegisterState pointer, RegisterState scalar)
    {
        if (scalar.Bounds.IsConstant)
        {
            long offset = pointer.Offset + scalar.Bounds.SMin;
            if (offset == (int)offset)
                return pointer with { Offset = (int)offset };
        }

        ScalarNode sum = NewNode(ScalarBounds.Alu64(BpfAluCode.ADD, pointer.Bounds, scalar.Bounds), scalar.Value);
        return IsPacket(pointer) ? pointer with { Value = sum, Id = NewId(), Range = 0 } : pointer with { Value = sum };
    }

    private RegisterState Subtract(RegisterState pointer, RegisterState scalar)
    {
        if (scalar.Bounds.IsConstant)
        {
            long offset = pointer.Offset - scalar.Bounds.SMin;
            if (offset == (int)offset)
                return pointer with { Offset = (int)offset };
        }

        ScalarNode difference = NewNode(ScalarBounds.Alu64(BpfAluCode.SUB, pointer.Bounds, scalar.Bounds), scalar.Value);
        if (!IsPacket(pointer))
            return pointer with { Value = difference };
        // Going back keeps what is known to lie ahead.
        return pointer with { Value = difference, Id = NewId(), Range = scalar.Bounds.SMin < 0 ? 0 : pointer.Range };
    }

    private static bool IsPacket(RegisterState register) => register.Kind is RegisterKind.Packet or RegisterKind.PacketMeta;
}
