using System.Collections.Immutable;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;

namespace BpfPpcc.Emission;

/// <summary>
/// Machine code of one function: a machine function and the registers and edits that allocation has found for it come in, words with
/// relocations, call frame information and source positions leave. One walk over the blocks in the order of <see cref="BlockLayout"/>,
/// then the branches get their displacements.
/// </summary>
public sealed class CodeEmitter
{
    private readonly MachineFunction _function;
    private readonly Allocation _allocation;
    private readonly TargetDescription _target;
    private readonly CodeBuffer _code = new();
    private readonly FrameLayout _frame;
    private readonly FrameCode _frameCode;
    private readonly BlockLayout _layout;
    private readonly InstructionEmission _instructions;
    private readonly PseudoExpansion _pseudos;
    private readonly int[] _blockWords;

    /// <summary>By block: it goes on with the block behind it.</summary>
    private readonly bool[] _fallsThrough;
    private int _block;

    /// <summary>By block, with one more at the end: index of the first edit and of the first deleted instruction in it.</summary>
    private readonly int[] _firstEdit;
    private readonly int[] _firstDeleted;

    private CodeEmitter(MachineFunction function, Allocation allocation, TargetDescription target)
    {
        _function = function;
        _allocation = allocation;
        _target = target;
        _frame = FrameLayout.Of(function, allocation, target);
        _frameCode = new FrameCode(_frame, _code);
        _layout = BlockLayout.Of(function, allocation, _frame);
        _instructions = new InstructionEmission(_frameCode, _code);
        _pseudos = new PseudoExpansion(_code, target);
        _blockWords = new int[function.Blocks.Count];
        _fallsThrough = new bool[function.Blocks.Count];
        _firstEdit = new int[function.Blocks.Count + 1];
        foreach (AllocationEdit edit in allocation.Edits)
            _firstEdit[edit.Block + 1]++;
        _firstDeleted = new int[function.Blocks.Count + 1];
        foreach ((int block, _) in allocation.Deleted)
            _firstDeleted[block + 1]++;
        Accumulate(_firstEdit);
        Accumulate(_firstDeleted);
    }

    /// <summary>The code of <paramref name="function"/>, or null if it is so large (32 MiB) that a branch does not reach its target.</summary>
    /// <exception cref="InvalidOperationException">The input breaks the rules of its form.</exception>
    public static CompiledFunction? Emit(MachineFunction function, Allocation allocation, TargetDescription target) =>
        new CodeEmitter(function, allocation, target).Emit();

    private CompiledFunction? Emit()
    {
        _frameCode.WriteEntries(_function, _target);
        for (int i = 0; i < _layout.Order.Count; i++)
        {
            int next = i + 1 < _layout.Order.Count ? _layout.Order[i + 1] : -1;
            WriteBlock(_layout.Order[i], next);
        }

        CheckToc();
        CodeBuffer code = TailMerging.Run(_code, Segments(), _blockWords.Length, out int[] labelWords);
        RelaxedCode? relaxed = BranchRelaxation.Relax(code, labelWords);
        return relaxed is null ? null : Finish(code, relaxed);
    }

    /// <summary>The blocks as they were written, each without the jump at its end.</summary>
    private List<CodeSegment> Segments()
    {
        var segments = new List<CodeSegment>(_layout.Order.Count);
        int branch = 0;
        for (int i = 0; i < _layout.Order.Count; i++)
        {
            int block = _layout.Order[i];
            int end = i + 1 < _layout.Order.Count ? _blockWords[_layout.Order[i + 1]] : _code.Count;
            while (branch < _code.Branches.Count && _code.Branches[branch].Word < end)
                branch++;
            var segment = new CodeSegment(block, _blockWords[block], end)
            {
                IsHot = _function.Blocks[block].Frequency > _function.Blocks[0].Frequency,
                Previous = i == 0 ? null : segments[i - 1],
            };
            if (i != 0)
                segments[i - 1].Next = segment;
            if (branch > 0 && _code.Branches[branch - 1] is { IsConditional: false } jump && jump.Word == end - 1 && end > segment.Start)
            {
                segment.Jump = jump.Target;
                segment.End--;
            }
            else
            {
                segment.FallsThrough = _fallsThrough[block];
            }

            segments.Add(segment);
        }

        return segments;
    }

    /// <summary>Code that refers to a symbol, or to a function of another module through the linker's stub, reads r2.</summary>
    private void CheckToc()
    {
        if (_code.Relocations.Count != 0 && !_function.NeedsToc)
            throw new InvalidOperationException($"{_function.Name} uses the TOC without saying so");
    }

    private void WriteBlock(int index, int next)
    {
        _blockWords[index] = _code.Count;
        _block = index;
        bool isSavePoint = index == _layout.Region.SavePoint;
        _frameCode.EnterBlock(_layout.Region.Contains(index) && !isSavePoint);
        if (isSavePoint)
            _frameCode.WriteSetUp();
        bool fitsNext = next >= 0 && (_frameCode.IsSetUp || next == _layout.Region.SavePoint || !_layout.Region.Contains(next));
        WriteInstructions(index, fitsNext ? next : -1);
    }

    private void WriteInstructions(int index, int next)
    {
        MachineBlock block = _function.Blocks[index];
        Gpr[][] gprs = _allocation.OperandGprs[index];
        int edit = _firstEdit[index], editEnd = _firstEdit[index + 1];
        int deleted = _firstDeleted[index], deletedEnd = _firstDeleted[index + 1];
        for (int i = 0; i < block.Instructions.Count; i++)
        {
            MachineInstruction instruction = block.Instructions[i];
            _code.MarkPosition(instruction.Position);
            while (edit < editEnd && _allocation.Edits[edit].Instruction == i)
                WriteEdit(_allocation.Edits[edit++]);
            if (deleted < deletedEnd && _allocation.Deleted[deleted].Instruction == i)
            {
                deleted++;
                continue;
            }

            if (instruction.IsTerminator)
                WriteTerminator(instruction, next);
            else if (instruction.Pseudo == MachinePseudo.None)
                _instructions.Write(instruction, gprs[i]);
            else
                _pseudos.Write(instruction, gprs[i]);
        }

        if (edit != editEnd || deleted != deletedEnd)
            throw new InvalidOperationException($"{_function.Name}: the edits or deletions of block {index} are not in order");
    }

    private void WriteEdit(AllocationEdit edit)
    {
        if (edit.Rematerialize is { } definition)
            WriteAgain(definition, edit.To.Gpr);
        else if (!edit.From.IsGpr)
            _code.LoadFromFrame(edit.To.Gpr, _frameCode.SpillDisplacement(edit.From.SpillSlot));
        else if (!edit.To.IsGpr)
            _code.StoreToFrame(edit.From.Gpr, _frameCode.SpillDisplacement(edit.To.SpillSlot));
        else
            _pseudos.WriteMove(edit.To.Gpr, edit.From.Gpr);
    }

    /// <summary>Rematerialisable instructions have one register operand, the definition, and it is the first.</summary>
    private void WriteAgain(MachineInstruction definition, Gpr to)
    {
        ReadOnlySpan<Gpr> gprs = [to];
        if (definition.Pseudo == MachinePseudo.None)
            _instructions.Write(definition, gprs);
        else
            _pseudos.Write(definition, gprs);
    }

    private void WriteTerminator(MachineInstruction terminator, int next)
    {
        switch (terminator.Pseudo)
        {
            case MachinePseudo.Jump:
                WriteJump(_layout.Resolve(terminator.Operands[0].Number), next);
                break;
            case MachinePseudo.Branch:
                WriteBranch(terminator, next);
                break;
            case MachinePseudo.BranchOnCount:
                WriteCountBranch(terminator, next);
                break;
            case MachinePseudo.Return:
                _frameCode.WriteReturn();
                break;
            case MachinePseudo.TailCallJump:
                _frameCode.WriteTailCallJump();
                break;
            case MachinePseudo.Unreachable:
                _code.Emit(Ppc64Opcode.Tw, 31, 0, 0);
                break;
            case MachinePseudo.None or MachinePseudo.LoadImmediate or MachinePseudo.LoadLiteral or MachinePseudo.LoadAddress
                or MachinePseudo.LoadExternAddress or MachinePseudo.Copy or MachinePseudo.Arguments or MachinePseudo.CallExtern or MachinePseudo.CallLocal
                or MachinePseudo.CallIndirect or MachinePseudo.AtomicReadModifyWrite or MachinePseudo.AtomicCompareExchange
                or MachinePseudo.SetCount:
                throw new InvalidOperationException($"{terminator.Pseudo} is no terminator");
        }
    }

    /// <summary>A jump to a return block is that block again, as its code is no longer than the jump or little more.</summary>
    private void WriteJump(int target, int next)
    {
        if (target == next)
            _fallsThrough[_block] = true;
        else if (_frameCode.HasPlainReturn && _layout.IsShortReturn(target))
            WriteInstructions(target, next);
        else
            _code.Jump(target);
    }

    private void WriteBranch(MachineInstruction branch, int next)
    {
        int bit = branch.Operands[0].Number;
        bool ifSet = branch.Operands[1].Value != 0;
        int taken = _layout.Resolve(branch.Operands[2].Number);
        int other = _layout.Resolve(branch.Operands[3].Number);
        if (taken == next && taken != other)
        {
            (taken, other) = (other, taken);
            ifSet = !ifSet;
        }

        else if (taken != other && other != next && IsPlainReturn(taken) && !IsPlainReturn(other))
        {
            // The return stands behind the branch, so that the way on costs one instruction.
            (taken, other) = (other, taken);
            ifSet = !ifSet;
        }

        int options = ifSet ? BranchOptions.IfTrue : BranchOptions.IfFalse;
        if (taken != other && IsPlainReturn(taken))
            _code.Emit(Ppc64Opcode.Bclr, options, bit);
        else if (taken != other)
            _code.Branch(taken, options, bit);
        WriteJump(other, next);
    }

    /// <summary>A conditional branch to the block is a conditional return.</summary>
    private bool IsPlainReturn(int block) => _frameCode.HasPlainReturn && _layout.IsOnlyReturn(block);

    /// <summary>bdnz, or bdz where the loop goes on behind it.</summary>
    private void WriteCountBranch(MachineInstruction branch, int next)
    {
        int stay = _layout.Resolve(branch.Operands[0].Number);
        int leave = _layout.Resolve(branch.Operands[1].Number);
        (int taken, int other, int options) = stay == next
            ? (leave, stay, BranchOptions.DecrementZero)
            : (stay, leave, BranchOptions.DecrementNonZero);
        if (IsPlainReturn(taken))
            _code.Emit(Ppc64Opcode.Bclr, options, 0);
        else
            _code.Branch(taken, options, 0);
        WriteJump(other, next);
    }

    private CompiledFunction Finish(CodeBuffer written, RelaxedCode relaxed)
    {
        ImmutableArray<CodeRelocation>.Builder relocations = ImmutableArray.CreateBuilder<CodeRelocation>(written.Relocations.Count);
        foreach (CodeRelocation relocation in written.Relocations)
            relocations.Add(relocation with { Offset = relaxed.Moved(relocation.Offset) });
        ImmutableArray<LocalCall>.Builder calls = ImmutableArray.CreateBuilder<LocalCall>(written.LocalCalls.Count);
        foreach (LocalCall call in written.LocalCalls)
            calls.Add(call with { Offset = relaxed.Moved(call.Offset) });
        List<CfiInstruction> rows = UnwindRows.Of(_frame, written.FrameMarks);
        ImmutableArray<CfiInstruction>.Builder cfi = ImmutableArray.CreateBuilder<CfiInstruction>(rows.Count);
        foreach (CfiInstruction row in rows)
            cfi.Add(row with { CodeOffset = relaxed.Moved(row.CodeOffset) });
        ImmutableArray<CodePosition>.Builder positions = ImmutableArray.CreateBuilder<CodePosition>(written.Positions.Count);
        foreach (CodePosition position in written.Positions)
            positions.Add(position with { CodeOffset = relaxed.Moved(position.CodeOffset) });

        return new CompiledFunction
        {
            Name = _function.Name,
            FunctionIndex = _function.FunctionIndex,
            IsCallableFromC = _function.IsCallableFromC,
            ReachesTailCall = _function.TailCallRole != TailCallRole.None,
            Symbol = _function.Symbol,
            Code = ImmutableArray.Create(relaxed.Words),
            LocalEntryOffset = _frameCode.LocalEntryOffset,
            NeedsToc = _function.NeedsToc,
            TailEntryOffset = _frameCode.TailEntryOffset,
            FrameSize = _layout.Region.SavePoint < 0 ? 0 : _frame.Size,
            BpfStackSize = _function.BpfStackSize,
            Relocations = relocations.MoveToImmutable(),
            LocalCalls = calls.MoveToImmutable(),
            Cfi = cfi.MoveToImmutable(),
            Positions = positions.MoveToImmutable(),
        };
    }

    private static void Accumulate(int[] counts)
    {
        for (int i = 1; i < counts.Length; i++)
            counts[i] += counts[i - 1];
    }
}
