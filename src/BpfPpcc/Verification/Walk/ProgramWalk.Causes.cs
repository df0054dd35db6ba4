using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// The steps that led to a mistake: where a pointer came from, what made a number what it is and what the checks said of it, which way the
/// path went. Found when a mistake is, from what values and states remember.
/// </summary>
internal sealed partial class ProgramWalk
{
    private const int MaximumValueSteps = 4;
    private const int MaximumPathSteps = 3;

    /// <summary>The program is refused because of <paramref name="cause"/>: its history is told.</summary>
    private bool Fail(DiagnosticId id, string message, string? help, RegisterState cause)
    {
        if (Error is not null)
            return false;
        var notes = new List<WalkNote>();
        AddPointerOrigin(notes, cause);
        AddValueHistory(notes, cause.Value);
        return Fail(id, message, help, notes);
    }

    /// <summary>The program is refused on this path only, perhaps: which way it went is told.</summary>
    private bool FailOnPath(DiagnosticId id, string message, string? help, params ReadOnlySpan<WalkNote> causes)
    {
        if (Error is not null)
            return false;
        var notes = new List<WalkNote>();
        notes.AddRange(causes);
        AddPath(notes);
        return Fail(id, message, help, notes);
    }

    private bool Fail(DiagnosticId id, string message, string? help, List<WalkNote> notes)
    {
        Error ??= new WalkError(id, message, help, _slot) { Notes = [.. notes] };
        return false;
    }

    private void AddPointerOrigin(List<WalkNote> notes, RegisterState pointer)
    {
        if (!pointer.IsPointer || pointer.Origin < 0 || pointer.Origin == _slot || (pointer.Kind == RegisterKind.MapValue && !pointer.MaybeNull))
            return;
        string? text = _image.Code[pointer.Origin] switch
        {
            { IsCall: true } when pointer is { Kind: RegisterKind.MapValue, MaybeNull: true } => $"{CalleeAt(pointer.Origin)} returns NULL if there is no such element in {DescribeMap(pointer.Map!)}",
            { IsCall: true } when pointer.MaybeNull => $"{CalleeAt(pointer.Origin)} returns NULL if it fails",
            { IsCall: true } => $"{CalleeAt(pointer.Origin)} returned the pointer",
            _ when pointer.MaybeNull => $"the pointer was read here, and may be NULL",
            _ => "the pointer was read here",
        };
        notes.Add(new WalkNote(pointer.Origin, text));
    }

    /// <summary>What is called at a slot, as C names it.</summary>
    private string CalleeAt(int slot) => _image.References[slot] switch
    {
        BpfReference.ExternCall call => call.Name,
        BpfReference.HostCall call => call.Helper.Name,
        BpfReference.FunctionCall call => _module.Functions[call.Function].Name,
        _ => BpfHelpers.Find(_image.Code[slot].Imm) is { } helper ? $"bpf_{helper.Name}" : "the helper",
    };

    private void AddValueHistory(List<WalkNote> notes, ScalarNode value)
    {
        var steps = new List<WalkNote>();
        int errorLine = LineOf(_slot), lastLine = -1;
        ScalarNode? node = value;
        for (int i = 0; node is not null && i < 1000 && steps.Count < MaximumValueSteps; node = node.First, i++)
        {
            if (node.Slot < 0 || (node.First is { } same && same.Slot == node.Slot && same.Bounds == node.Bounds))
                continue;
            int line = LineOf(node.Slot);
            bool isOrigin = node.First is null;
            if (line == lastLine || (line == errorLine && !_image.Code[node.Slot].IsCall) || DescribeStep(node, isOrigin) is not { } text)
                continue;
            lastLine = line;
            steps.Add(new WalkNote(node.Slot, text));
        }

        steps.Reverse();
        notes.AddRange(steps);
    }

    /// <summary>The C line of an instruction, or the instruction itself where no line is known.</summary>
    private int LineOf(int slot) => PositionOf(slot)?.Line ?? -2 - slot;

    private SourcePosition? PositionOf(int slot) => _image.FunctionAt(slot).PositionOf(_image.LocalSlot(slot));

    private string? DescribeStep(ScalarNode node, bool isOrigin)
    {
        BpfInstruction instruction = _image.Code[node.Slot];
        string range = DescribeRange(node.Bounds);
        if (node.Loss == PointerLoss.PacketMoved)
            return $"{CalleeAt(node.Slot)} may move the packet's data: pointers from before mean nothing any more";
        if (node.Loss == PointerLoss.Released)
            return instruction.IsCall ? $"{CalleeAt(node.Slot)} gave back what it points to" : "what it points to is gone from here on";
        if (instruction.IsCall)
            return $"{CalleeAt(node.Slot)} returned the value: {range}";
        switch (instruction.Class)
        {
            case BpfClass.JMP or BpfClass.JMP32:
                return KnowsLowHalfOnly(node.Bounds)
                    ? $"this check says something of the low 32 bits only: they are {node.Bounds.U32Min} to {node.Bounds.U32Max}"
                    : $"after this check the value is {range}";
            case BpfClass.LDX or BpfClass.STX or BpfClass.LD when !instruction.IsLoadImmediate64:
                return isOrigin ? $"the value was read from memory here: {range}" : null;
            case BpfClass.LD:
                return $"the value was set here: {range}";
            case BpfClass.ALU or BpfClass.ALU64:
                return DescribeArithmetic(node, instruction, range);
            case BpfClass.ST:
                return null;
        }

        return null;
    }

    private static string? DescribeArithmetic(ScalarNode node, BpfInstruction instruction, string range)
    {
        if (node.First is not { } input)
            return instruction.AluCode == BpfAluCode.MOV ? $"the value was set here: {range}" : $"the value was computed here: {range}";
        bool hadBound = input.Bounds.UMax <= MaximumOffset, hasBound = node.Bounds.UMax <= MaximumOffset;
        if (hadBound && !hasBound)
            return $"here the bound is lost: before, the value was {DescribeRange(input.Bounds)}, now it is {range}";
        return node.Bounds == input.Bounds || KnowsLowHalfOnly(node.Bounds) ? null : $"here the value becomes {range}";
    }

    /// <summary>Which way the path went at its last conditions, oldest first.</summary>
    private void AddPath(List<WalkNote> notes)
    {
        var steps = new List<WalkNote>();
        int lastLine = -1;
        for (VerifierState? state = _state; state is not null && steps.Count < MaximumPathSteps; state = state.Parent)
        {
            for (JumpTrace? jump = state.Jumps; jump is not null && steps.Count < MaximumPathSteps; jump = jump.Previous)
            {
                int line = LineOf(jump.Slot);
                if (line == lastLine || DescribeJump(jump) is not { } text)
                    continue;
                lastLine = line;
                steps.Add(new WalkNote(jump.Slot, text));
            }
        }

        steps.Reverse();
        notes.AddRange(steps);
    }

    private string? DescribeJump(JumpTrace jump)
    {
        int next = jump.IsTaken ? (int)ControlFlow.Target(_image.Code[jump.Slot], jump.Slot) : jump.Slot + 1;
        if (next >= _image.Code.Length)
            return null;
        return PositionOf(jump.Slot) is null || PositionOf(next) is not { } position
            ? jump.IsTaken ? "the path takes this jump" : "the path does not take this jump"
            : string.Create(CultureInfo.InvariantCulture, $"from this condition the path goes on to line {position.Line}");
    }

    private bool FailBudget()
    {
        var notes = new List<WalkNote>();
        AddLoop(notes);
        return Fail(
            DiagnosticId.VerifierBudgetExceeded,
            string.Create(CultureInfo.InvariantCulture, $"the program did not come to its end within {_options.Budget} instructions, counted on all paths together")
                + (notes.Count > 0 ? ": the loop here goes on" : ""),
            notes.Count > 0
                ? "bound the loop by a constant as well: for (i = 0; i < n && i < 1000; i++); or use bpf_loop; if the bound is right and only large, raise --verify-budget"
                : "make the branches fewer, or split the function; if the program is right and only large, raise --verify-budget",
            notes);
    }

    /// <summary>The loop that the path is in: the condition that it met most often, and what that compares with.</summary>
    private void AddLoop(List<WalkNote> notes)
    {
        const int MaximumStates = 1000;
        const int Many = 16;
        var counts = new Dictionary<int, int>();
        int states = 0;
        for (VerifierState? state = _state; state is not null && states < MaximumStates; state = state.Parent, states++)
        {
            for (JumpTrace? jump = state.Jumps; jump is not null; jump = jump.Previous)
                counts[jump.Slot] = counts.GetValueOrDefault(jump.Slot) + 1;
        }

        int found = -1;
        foreach ((int slot, int count) in counts)
        {
            if (count >= Many && (found < 0 || count > counts[found] || (count == counts[found] && slot < found)))
                found = slot;
        }

        if (found >= 0)
            AddLimit(notes, found);
    }

    /// <summary>How far apart the operands of a loop's condition are, and where the larger one comes from.</summary>
    private void AddLimit(List<WalkNote> notes, int slot)
    {
        const string Condition = "the loop goes on as long as this condition says so";
        BpfInstruction instruction = _image.Code[slot];
        bool hasTwo = instruction.Source == BpfSource.X && _image.FunctionIndexAt(slot) == _state.Frame.Function;
        if (!hasTwo || Registers[instruction.Dst] is not { IsScalar: true } dst || Registers[instruction.Src] is not { IsScalar: true } src)
        {
            notes.Add(new WalkNote(slot, Condition));
            return;
        }

        (RegisterState limit, RegisterState counter) = src.Bounds.UMax >= dst.Bounds.UMax ? (src, dst) : (dst, src);
        ScalarNode origin = limit.Value;
        while (origin.First is { } earlier)
            origin = earlier;
        if (origin.Slot >= 0 && origin.Slot != slot && DescribeStep(origin, isOrigin: true) is { } text)
            notes.Add(new WalkNote(origin.Slot, text));
        notes.Add(new WalkNote(slot, $"{Condition}: it compares {DescribeRange(counter.Bounds)}, after the rounds so far, with {DescribeRange(limit.Bounds)}"));
    }
}
