using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Jumps: which sides are possible, and what each side says of the operands.</summary>
internal sealed partial class ProgramWalk
{
    private bool StepJump(BpfInstruction instruction)
    {
        int target = (int)ControlFlow.Target(instruction, _slot);
        if (instruction.JumpCode == BpfJumpCode.JA)
        {
            _slot = target;
            return true;
        }

        if (instruction.JumpCode == BpfJumpCode.JCOND)
            return StepMayGoto(target);
        if ((instruction.Source == BpfSource.X && !CheckReadable(instruction.Src)) || !CheckReadable(instruction.Dst))
            return false;
        RegisterState dst = Register(instruction.Dst);
        RegisterState src = instruction.Source == BpfSource.X ? Register(instruction.Src) : RegisterState.ConstantScalar(instruction.Imm, _slot);
        switch (Outcome(instruction, dst, src))
        {
            case BranchOutcome.Always:
                return FollowConstant(instruction, dst, src, target, isTaken: true);
            case BranchOutcome.Never:
                return FollowConstant(instruction, dst, src, target, isTaken: false);
            case BranchOutcome.Unknown:
                break;
        }

        return FollowBoth(instruction, dst, src, target);
    }

    private bool FollowConstant(BpfInstruction instruction, RegisterState dst, RegisterState src, int target, bool isTaken)
    {
        MarkPrecise(dst);
        if (instruction.Source == BpfSource.X)
            MarkPrecise(src);
        NoteJump(isTaken);
        _slot = isTaken ? target : _slot + 1;
        return true;
    }

    private void NoteJump(bool isTaken)
    {
        _state.Jumps = new JumpTrace(_slot, isTaken, _state.Jumps);
        if (isTaken)
            _facts.Taken[_slot] = true;
        else
            _facts.NotTaken[_slot] = true;
    }

    private bool FollowBoth(BpfInstruction instruction, RegisterState dst, RegisterState src, int target)
    {
        bool is32 = instruction.Class == BpfClass.JMP32;
        RegisterState takenDst = dst, takenSrc = src, otherDst = dst, otherSrc = src;
        if (dst.IsScalar && src.IsScalar)
        {
            bool canBeTaken = Refine(instruction, is32, true, ref takenDst, ref takenSrc);
            bool canFallThrough = Refine(instruction, is32, false, ref otherDst, ref otherSrc);
            if (!canBeTaken || !canFallThrough)
            {
                // Neither side can only be if the operands' bounds hold no value, and then no execution comes here.
                return FollowConstant(instruction, dst, src, target, isTaken: canBeTaken);
            }
        }

        VerifierState? other = PushPending(target);
        if (other is null)
            return false;
        other.Jumps = new JumpTrace(_slot, true, other.Jumps);
        _facts.Taken[_slot] = true;
        NoteJump(false);
        if (dst.IsScalar && src.IsScalar)
        {
            Assign(other, instruction, takenDst, takenSrc);
            Assign(_state, instruction, otherDst, otherSrc);
        }
        else
        {
            RefinePointers(instruction, dst, src, other);
        }

        _slot++;
        return true;
    }

    private static void Assign(VerifierState state, BpfInstruction instruction, RegisterState dst, RegisterState src)
    {
        if (instruction.Source == BpfSource.X)
        {
            state.Frame.Registers[instruction.Src] = src;
            SyncLinked(state, src);
        }

        state.Frame.Registers[instruction.Dst] = dst;
        SyncLinked(state, dst);
    }

    private bool Refine(BpfInstruction instruction, bool is32, bool isTaken, ref RegisterState dst, ref RegisterState src)
    {
        ScalarBounds a = dst.Bounds, b = src.Bounds;
        if (!ScalarBranch.Refine(instruction.JumpCode, is32, isTaken, ref a, ref b))
            return false;
        ScalarNode oldDst = dst.Value, oldSrc = src.Value;
        if (a != dst.Bounds)
            dst = dst with { Value = NewNode(a, oldDst, instruction.Source == BpfSource.X ? oldSrc : null) };
        if (b != src.Bounds && instruction.Source == BpfSource.X)
            src = src with { Value = NewNode(b, oldSrc, oldDst) };
        return true;
    }

    /// <summary>Carries what was learned of a scalar over to its copies.</summary>
    private static void SyncLinked(VerifierState state, RegisterState known)
    {
        if (known.Id == 0)
            return;
        state.Rewrite(known, static (register, known) =>
        {
            if (!register.IsScalar || register.Id != known.Id || ReferenceEquals(register.Value, known.Value))
                return register;
            int distance = (register.IsLinkedByOffset ? register.Offset : 0) - (known.IsLinkedByOffset ? known.Offset : 0);
            ScalarBounds bounds = distance == 0
                ? known.Bounds
                : ScalarBounds.Alu64(BpfAluCode.ADD, known.Bounds, ScalarBounds.Constant((ulong)(long)distance));
            bounds = ScalarBounds.Meet(bounds, register.Bounds);
            if (bounds.IsEmpty || bounds == register.Bounds)
                return register;
            return register with { Value = new ScalarNode(bounds, known.Value.Slot, known.Value, register.Value) };
        });
    }

    private static BranchOutcome Outcome(BpfInstruction instruction, RegisterState dst, RegisterState src)
    {
        bool is32 = instruction.Class == BpfClass.JMP32;
        if (dst.IsScalar && src.IsScalar)
            return ScalarBranch.Outcome(instruction.JumpCode, is32, dst.Bounds, src.Bounds);
        if (is32)
            return BranchOutcome.Unknown;
        if (dst.IsPointer && src.IsPointer)
            return PacketOutcome(instruction.JumpCode, dst, src);
        RegisterState pointer = dst.IsPointer ? dst : src;
        RegisterState scalar = dst.IsPointer ? src : dst;
        if (!scalar.IsZero || !IsNeverNull(pointer))
            return BranchOutcome.Unknown;
        return instruction.JumpCode switch
        {
            BpfJumpCode.JEQ => BranchOutcome.Never,
            BpfJumpCode.JNE => BranchOutcome.Always,
            BpfJumpCode.JA or BpfJumpCode.JGT or BpfJumpCode.JGE or BpfJumpCode.JSET or BpfJumpCode.JSGT or BpfJumpCode.JSGE
                or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JLT or BpfJumpCode.JLE or BpfJumpCode.JSLT or BpfJumpCode.JSLE
                or BpfJumpCode.JCOND => BranchOutcome.Unknown,
        };
    }

    /// <summary>
    /// Pointers that cannot be null. Kernel objects of which that is not sure are not among them, nor is the context: a host may run a
    /// program without one.
    /// </summary>
    private static bool IsNeverNull(RegisterState pointer)
    {
        if (pointer.MaybeNull)
            return false;
        return pointer.Kind switch
        {
            RegisterKind.Socket or RegisterKind.TcpSock or RegisterKind.MapValue or RegisterKind.MapKey or RegisterKind.SockCommon
                or RegisterKind.MapPointer or RegisterKind.Memory or RegisterKind.Stack => true,
            RegisterKind.BtfObject => (pointer.Flags & (PointerFlags.Trusted | PointerFlags.Allocated)) != 0
                && (pointer.Flags & PointerFlags.Untrusted) == 0 && pointer.ReferenceId != 0,
            RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.Context or RegisterKind.PacketMeta or RegisterKind.Packet or RegisterKind.PacketEnd
                or RegisterKind.FlowKeys or RegisterKind.XdpSock or RegisterKind.Buffer or RegisterKind.TracepointBuffer
                or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena => false,
        };
    }

    private void RefinePointers(BpfInstruction instruction, RegisterState dst, RegisterState src, VerifierState taken)
    {
        if (instruction.Class == BpfClass.JMP32)
            return;
        bool isEqual = instruction.JumpCode == BpfJumpCode.JEQ;
        bool isUnequal = instruction.JumpCode == BpfJumpCode.JNE;
        if (dst.IsPointer && src.IsPointer)
        {
            if ((isEqual || isUnequal) && dst.MaybeNull != src.MaybeNull && dst.Kind != RegisterKind.BtfObject && src.Kind != RegisterKind.BtfObject)
            {
                VerifierState equal = isEqual ? taken : _state;
                int register = dst.MaybeNull ? instruction.Dst : instruction.Src;
                equal.Frame.Registers[register] = NotNull(equal.Frame.Registers[register]);
            }

            RefinePacketPointers(instruction, dst, src, taken);
            return;
        }

        if (instruction.Source != BpfSource.K || instruction.Imm != 0 || !dst.MaybeNull || !(isEqual || isUnequal))
            return;
        SplitNullness(taken, dst, isNull: isEqual);
        SplitNullness(_state, dst, isNull: isUnequal);
    }

    /// <summary>All registers with the pointer's id are null, or not.</summary>
    private void SplitNullness(VerifierState state, RegisterState pointer, bool isNull)
    {
        if (isNull && pointer.ReferenceId != 0 && pointer.ReferenceId == pointer.Id)
            RemoveReference(state, pointer.Id);
        int slot = _slot;
        state.Rewrite((pointer.Id, isNull, slot), static (register, argument) =>
        {
            if (!register.MaybeNull || register.Id != argument.Id || register.Id == 0)
                return register;
            return argument.isNull ? RegisterState.ConstantScalar(0, argument.slot) : WithoutNullId(NotNull(register));
        });
    }

    /// <summary>The id has done its duty, unless it tells two objects with a lock apart.</summary>
    private static RegisterState WithoutNullId(RegisterState register)
    {
        bool mayHoldLock = register.Kind == RegisterKind.MapValue ? register.Map!.Fields.SpinLockOffset >= 0 : register.Has(PointerFlags.Allocated) && register.Kind == RegisterKind.BtfObject;
        return mayHoldLock ? register : register with { Id = 0 };
    }

    /// <summary>A pointer that turned out not to be null; what a lookup in some maps gives is then more than a map value.</summary>
    private static RegisterState NotNull(RegisterState register)
    {
        if (register.Kind == RegisterKind.MapValue && register.Map is { } map)
        {
            switch (map.Type)
            {
                case BpfMapType.ARRAY_OF_MAPS or BpfMapType.HASH_OF_MAPS when map.Inner is not null:
                    return new RegisterState { Kind = RegisterKind.MapPointer, Map = map.Inner, MapId = register.Id, Id = register.Id };
                case BpfMapType.XSKMAP:
                    return register with { Kind = RegisterKind.XdpSock, Map = null, Flags = PointerFlags.None };
                case BpfMapType.SOCKMAP or BpfMapType.SOCKHASH:
                    return register with { Kind = RegisterKind.Socket, Map = null, Flags = PointerFlags.None };
            }
        }

        return register with { Flags = register.Flags & ~PointerFlags.MaybeNull };
    }

    private bool StepMayGoto(int target)
    {
        VerifierState? previous = FindEarlier(_slot, _state.Parent?.Parent);
        VerifierState? body = PushPending(_slot + 1);
        if (body is null)
            return false;
        body.MayGotoDepth++;
        if (previous is not null)
            WidenImprecise(previous, body);
        _slot = target;
        return true;
    }

    private bool IsMayGoto(int slot) => _image.Code[slot] is { Class: BpfClass.JMP, JumpCode: BpfJumpCode.JCOND };
}
