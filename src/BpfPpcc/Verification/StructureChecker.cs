using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>
/// Checks of a function's form that need no knowledge of register contents, as the Linux verifier makes them before and while it walks:
/// instructions of RFC 9669 and its Linux additions only, unused fields zero, jumps to instructions of the same function, no way to run off its end. Unreachable instructions are checked alike, but being unreachable is no error.
///
/// Writes to r10, constant division by zero and accesses outside of the stack are the walk's to find; where none runs, they are found here.
/// </summary>
internal sealed class StructureChecker
{
    /// <summary>Linux's limit for a program with all its subprograms (BPF_COMPLEXITY_LIMIT_INSNS).</summary>
    private const int MaximumSlots = 1_000_000;

    /// <summary>Linux's stack frame (MAX_BPF_STACK).</summary>
    private const int StackBytes = 512;

    /// <summary>One mistake of an encoder shows in many places; the first ones are enough to see it.</summary>
    private const int MaximumErrorsPerFunction = 10;

    private readonly BpfModule _module;
    private readonly BpfFunction _function;
    private readonly VerifierOptions _options;
    private readonly DiagnosticBag _diagnostics;

    /// <summary>Whether to look at instructions that exist but must not be executed: where the walk runs, it finds those that are.</summary>
    private readonly bool _checksMeaning;
    private int _errors;

    private StructureChecker(BpfModule module, BpfFunction function, VerifierOptions options, DiagnosticBag diagnostics, bool checksMeaning)
    {
        _checksMeaning = checksMeaning;
        _module = module;
        _function = function;
        _options = options;
        _diagnostics = diagnostics;
    }

    /// <summary>Checks one function; true if it has no error. <paramref name="reachable"/> receives which of its slots are executed.</summary>
    /// <param name="checksMeaning">
    /// Refuse as well what exists but must not be executed (<see cref="InstructionMeaning"/>, accesses outside of the stack). Not wanted
    /// before a walk, which finds it where it is executed and lets it stand where it is not, as Linux does.
    /// </param>
    public static bool CheckFunction(
        BpfModule module, BpfFunction function, VerifierOptions options, bool[][] reachable, DiagnosticBag diagnostics, bool checksMeaning)
    {
        var checker = new StructureChecker(module, function, options, diagnostics, checksMeaning);
        reachable[function.Index] = checker.CheckFunction();
        return checker._errors == 0;
    }

    private bool[] CheckFunction()
    {
        ReadOnlySpan<BpfInstruction> code = _function.Instructions.AsSpan();
        if (code.IsEmpty)
        {
            _errors++;
            _diagnostics.Error(DiagnosticId.EmptyProgram, "the function has no instructions", SlotLocation.Of(_module, _function));
            return [];
        }

        if (code.Length > MaximumSlots)
        {
            Error(DiagnosticId.ProgramTooLarge, 0, Format($"the function has {code.Length} instructions, more than the limit of {MaximumSlots}"));
            return new bool[code.Length];
        }

        bool[] isSecondSlot = FindSecondSlots(code);
        for (int slot = 0; slot < code.Length; slot++)
        {
            if (!isSecondSlot[slot])
                CheckInstruction(code, slot, isSecondSlot);
        }

        bool[] reachable = ControlFlow.FindReachable(code);
        CheckEnd(code, reachable);
        return reachable;
    }

    private static bool[] FindSecondSlots(ReadOnlySpan<BpfInstruction> code)
    {
        bool[] isSecondSlot = new bool[code.Length];
        for (int slot = 0; slot < code.Length - 1; slot++)
        {
            if (code[slot].IsLoadImmediate64)
                isSecondSlot[++slot] = true;
        }

        return isSecondSlot;
    }

    private void CheckInstruction(ReadOnlySpan<BpfInstruction> code, int slot, bool[] isSecondSlot)
    {
        BpfInstruction instruction = code[slot];
        if (!CheckEncoding(instruction, slot))
            return;
        if (instruction.IsLoadImmediate64)
            CheckSecondSlot(code, slot);
        if (ControlFlow.IsJump(instruction))
            CheckJump(code, slot, isSecondSlot);
        if (_checksMeaning)
            CheckMeaning(instruction, slot);
        CheckReference(code, slot);
    }

    private bool CheckEncoding(BpfInstruction instruction, int slot)
    {
        BpfEncodingFault fault = BpfEncoding.Check(instruction);
        if (fault == BpfEncodingFault.None)
            return true;
        Report(fault, instruction, slot);
        return false;
    }

    private void CheckSecondSlot(ReadOnlySpan<BpfInstruction> code, int slot)
    {
        if (slot + 1 == code.Length)
        {
            Error(DiagnosticId.LoadImmediate64Truncated, slot, "the 64-bit load is the last instruction and its second half is missing");
            return;
        }

        if (BpfEncoding.CheckSecondSlot(code[slot + 1]) == BpfEncodingFault.None)
            return;
        Error(
            DiagnosticId.LoadImmediate64Truncated, slot + 1,
            "the second half of a 64-bit load may hold nothing but the upper 32 bits of the number",
            "the opcode, both registers and the offset must be zero");
    }

    private void CheckJump(ReadOnlySpan<BpfInstruction> code, int slot, bool[] isSecondSlot)
    {
        long target = ControlFlow.Target(code[slot], slot);
        if (target < 0 || target >= code.Length)
        {
            Error(DiagnosticId.JumpOutOfRange, slot, Format($"the jump leads to instruction {target}, outside of the function (0 to {code.Length - 1})"));
        }
        else if (isSecondSlot[target])
        {
            Error(DiagnosticId.JumpIntoLoadImmediate64, slot, Format($"the jump leads to instruction {target}, the second half of a 64-bit load"));
        }
    }

    private void CheckMeaning(BpfInstruction instruction, int slot)
    {
        if (instruction.WrittenRegister == BpfEncoding.FramePointer)
            Error(slot, InstructionMeaning.FramePointerWritten);
        if (BpfEncoding.IsAddressSpaceCast(instruction))
            Error(slot, InstructionMeaning.AddressSpaceCast);
        if (_function.References.GetValueOrDefault(slot) is BpfReference.DataAddress data && _module.DataSections[data.Section].IsArena)
            Error(slot, InstructionMeaning.ArenaVariable(_module.DataSections[data.Section], data.Offset));
        if (InstructionMeaning.FindArithmeticFault(instruction) is { } fault && !(_options.NoVerify && InstructionMeaning.IsDefined(fault.Id)))
            Error(slot, fault);
        CheckStackAccess(instruction, slot);
    }

    /// <summary>Accesses whose base is r10 itself, so that the offset alone says where they go.</summary>
    private void CheckStackAccess(BpfInstruction instruction, int slot)
    {
        bool isStore = instruction.Class is BpfClass.ST or BpfClass.STX
            && !(instruction.IsAtomic && instruction.Imm == BpfAtomic.LOAD_ACQ);
        bool isLoad = instruction.Class == BpfClass.LDX || (instruction.Class == BpfClass.STX && !isStore);
        if (!(isStore && instruction.Dst == BpfEncoding.FramePointer) && !(isLoad && instruction.Src == BpfEncoding.FramePointer))
            return;
        if (instruction.Offset < -StackBytes)
        {
            Error(
                DiagnosticId.StackTooLarge, slot, Format($"the access at r10 - {-instruction.Offset} is outside of the stack of {StackBytes} bytes"),
                "move large local variables into a map or make them smaller");
        }
        else if (instruction.Offset + instruction.MemoryBytes > 0)
        {
            Error(
                DiagnosticId.StackAboveFrame, slot,
                Format($"the access of {instruction.MemoryBytes} bytes at r10 + {instruction.Offset} reaches above the stack frame"),
                "the frame lies below r10: offsets are negative");
        }
    }

    /// <summary>What only loading can resolve must have been resolved, to something that the instruction can use.</summary>
    private void CheckReference(ReadOnlySpan<BpfInstruction> code, int slot)
    {
        BpfInstruction instruction = code[slot];
        _function.References.TryGetValue(slot, out BpfReference? reference);
        if (reference is BpfReference.Poisoned)
            return;
        if (instruction.IsLoadImmediate64)
            CheckAddress(code, slot, reference);
        else if (instruction.IsCall && !instruction.IsCallIndirect)
            CheckCall(instruction, slot, reference);
        else if (reference is not null)
            Error(DiagnosticId.ReferenceUnresolved, slot, "a relocation applies to an instruction that holds no address");
    }

    private void CheckAddress(ReadOnlySpan<BpfInstruction> code, int slot, BpfReference? reference)
    {
        BpfInstruction instruction = code[slot];
        switch (reference)
        {
            case null when instruction.Src != 0:
                Error(
                    DiagnosticId.ReferenceUnresolved, slot,
                    Format($"the 64-bit load takes an address of kind {instruction.Src} by number (file descriptor, index or BTF id)"),
                    "such numbers mean something only to a running kernel: compile the object before a loader has changed it");
                break;
            case BpfReference.MapAddress when slot + 1 < code.Length && code[slot + 1].Imm != 0:
                Error(
                    DiagnosticId.LoadImmediate64Truncated, slot + 1,
                    Format($"the address of a map is loaded with {code[slot + 1].Imm} in the second half, which must be 0"));
                break;
            case BpfReference.FunctionCall or BpfReference.ExternCall or BpfReference.HostCall:
                Error(DiagnosticId.ReferenceUnresolved, slot, "a relocation for calls applies to a 64-bit load");
                break;
        }
    }

    private void CheckCall(BpfInstruction instruction, int slot, BpfReference? reference)
    {
        switch (reference)
        {
            case BpfReference.FunctionCall call when call.Function >= 0 && call.Function < _module.Functions.Length:
            case BpfReference.ExternCall or BpfReference.HostCall:
                break;
            case null when instruction.Src == BpfPseudo.HelperCall && instruction.Imm > 0:
            case null when instruction.Src == BpfPseudo.HelperCall && IsFreeOfKernelTypes && instruction.Imm == 0:
                break;
            case null when instruction.Src == BpfPseudo.HelperCall:
                Error(DiagnosticId.CallTargetInvalid, slot, Format($"{instruction.Imm} is not the number of a helper function"));
                break;
            case null when instruction.Src == BpfPseudo.LocalCall:
                Error(DiagnosticId.CallTargetInvalid, slot, "the call does not lead to the start of a function of this object");
                break;
            case null:
                Error(
                    DiagnosticId.CallTargetInvalid, slot, Format($"the call takes kernel function {instruction.Imm} by its BTF id"),
                    "declare the function extern so that the object names it");
                break;
            default:
                Error(DiagnosticId.CallTargetInvalid, slot, "the call refers to something that is not a function");
                break;
        }
    }

    /// <summary>Programs without a Linux program type may have a host with helpers of its own, where 0 is a number like any other.</summary>
    private bool IsFreeOfKernelTypes => _function.ProgramType == BpfProgramType.UNSPEC;

    private void CheckEnd(ReadOnlySpan<BpfInstruction> code, bool[] reachable)
    {
        for (int slot = Math.Max(0, code.Length - 2); slot < code.Length; slot++)
        {
            BpfInstruction instruction = code[slot];
            if (!reachable[slot] || !ControlFlow.FallsThrough(instruction) || slot + ControlFlow.SlotsOf(instruction) != code.Length)
                continue;
            Error(
                DiagnosticId.FallsOffTheEnd, slot, "execution can run past the last instruction of the function",
                "a function ends with exit or an unconditional jump; clang leaves the end open where it proved undefined behaviour");
        }
    }

    private void Report(BpfEncodingFault fault, BpfInstruction instruction, int slot)
    {
        (DiagnosticId id, string message) = fault switch
        {
            BpfEncodingFault.None => throw new InvalidOperationException("no fault to report"),
            BpfEncodingFault.UnknownOpcode =>
                (DiagnosticId.UnknownOpcode, Format($"0x{instruction.Opcode:x2} is not the opcode of a BPF instruction")),
            BpfEncodingFault.DstInvalid =>
                (DiagnosticId.InvalidRegister, Format($"the destination register r{instruction.Dst} does not exist (r0 to r10 do)")),
            BpfEncodingFault.SrcInvalid =>
                (DiagnosticId.InvalidRegister, Format($"the source register r{instruction.Src} does not exist (r0 to r10 do)")),
            BpfEncodingFault.DstReserved => Reserved("destination register", instruction.Dst),
            BpfEncodingFault.SrcReserved => Reserved("source register", instruction.Src),
            BpfEncodingFault.OffsetReserved => Reserved("offset", instruction.Offset),
            BpfEncodingFault.ImmReserved => Reserved("immediate", instruction.Imm),
            BpfEncodingFault.OffsetVariant =>
                (DiagnosticId.ReservedFieldUsed, Format($"the offset {instruction.Offset} selects no variant of the instruction")),
            BpfEncodingFault.ByteSwapWidth =>
                (DiagnosticId.ReservedFieldUsed, Format($"a byte swap of {instruction.Imm} bits does not exist (16, 32 and 64 do)")),
            BpfEncodingFault.AtomicOperation =>
                (DiagnosticId.UnknownOpcode, Format($"0x{instruction.Imm:x} is not an atomic operation")),
            BpfEncodingFault.AtomicSize =>
                (DiagnosticId.UnknownOpcode, Format($"atomic read-modify-write of {instruction.MemoryBytes} bytes does not exist (4 and 8 do)")),
            BpfEncodingFault.CallKind =>
                (DiagnosticId.ReservedFieldUsed, Format($"{instruction.Src} in the source field is no kind of call (0 to 2 are)")),
            BpfEncodingFault.LoadImmediate64Kind =>
                (DiagnosticId.ReservedFieldUsed, Format($"{instruction.Src} in the source field is no kind of 64-bit load (0 to 6 are)")),
            BpfEncodingFault.AddressSpaces =>
                (DiagnosticId.ReservedFieldUsed, Format($"addr_space_cast with 0x{instruction.Imm:x}: only address spaces 0 and 1 exist")),
        };
        string? help = id == DiagnosticId.UnknownOpcode
            ? "known are RFC 9669 and Linux's additions up to clang's -mcpu=v4; is this section BPF code at all?"
            : null;
        Error(id, slot, message, help);
    }

    private static (DiagnosticId, string) Reserved(string field, int value) =>
        (DiagnosticId.ReservedFieldUsed, Format($"the instruction does not use its {field}, which holds {value} and must be 0"));

    private void Error(int slot, InstructionFault fault) => Error(fault.Id, slot, fault.Message, fault.Help);

    private void Error(DiagnosticId id, int slot, string message, string? help = null)
    {
        if (_errors++ < MaximumErrorsPerFunction)
            _diagnostics.Error(id, message, SlotLocation.Of(_module, _function, slot), help);
    }

    private static string Format(FormattableString text) => FormattableString.Invariant(text);
}
