using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>Arguments that are special fields of map values: locks, timers, kptrs; and strings.</summary>
internal sealed partial class ProgramWalk
{
    private bool CheckSpinLock(RegisterState value, bool isLocking)
    {
        if (!value.Bounds.IsConstant)
            return Fail(DiagnosticId.LockMisuse, "the address of the spin lock is not constant: it must be the field of one map value", null);
        SpecialFields fields = value.Kind == RegisterKind.MapValue ? value.Map!.Fields : SpecialFields.Of(value.Btf, value.TypeId);
        if (fields.SpinLockOffset < 0 || fields.SpinLockOffset != value.Offset + value.Bounds.SMin)
            return Fail(DiagnosticId.LockMisuse, $"{Describe(value)} has no struct bpf_spin_lock at offset {DescribeOffset(value, value.Offset)}", "pass the address of the field: bpf_spin_lock(&value->lock); the map needs BTF");
        object? owner = value.Kind == RegisterKind.MapValue ? value.Map : value.Btf;
        if (isLocking)
        {
            if (_state.Lock is not null)
                return Fail(DiagnosticId.LockMisuse, "a second spin lock is taken while one is held", "unlock the first one before");
            _state.Lock = new HeldLock(owner, value.Id, _slot);
            return true;
        }

        if (_state.Lock is not { } held)
            return Fail(DiagnosticId.LockMisuse, "bpf_spin_unlock is called, but no lock is held", null);
        if (!ReferenceEquals(held.Owner, owner) || held.Id != value.Id)
            return Fail(DiagnosticId.LockMisuse, "bpf_spin_unlock is called for another lock than the one that is held", "unlock through the same pointer that was locked");
        _state.Lock = null;
        ForgetNonOwning();
        return true;
    }

    /// <summary>Borrowed pointers into lists and trees end with the lock.</summary>
    private void ForgetNonOwning() => _state.Rewrite(_slot, static (register, slot) =>
        register.Has(PointerFlags.NonOwning) ? RegisterState.FormerPointer(slot, PointerLoss.Released) : register);

    private bool CheckTimer(int register, RegisterState value, CallArguments arguments)
    {
        if (!value.Bounds.IsConstant)
            return Fail(DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} is not at a constant offset", null);
        MapInfo map = value.Map!;
        if (map.Fields.Find(SpecialFieldKind.Timer) is not { } timer || timer.Offset != value.Offset + value.Bounds.SMin)
        {
            return Fail(
                DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} is not the address of a struct bpf_timer in {DescribeMap(map)}", "the map needs BTF for its value type");
        }

        if (arguments.Map is not null && register != 1)
            return Fail(DiagnosticId.HelperArgument, "the timer and the map do not belong together", null);
        arguments.Map = map;
        arguments.MapId = value.MapId;
        return true;
    }

    private bool CheckKptrDestination(RegisterState value, CallArguments arguments)
    {
        if (!value.Bounds.IsConstant)
            return Fail(DiagnosticId.SpecialField, "the kptr is not at a constant offset", null);
        long offset = value.Offset + value.Bounds.SMin;
        SpecialFields fields = value.Kind == RegisterKind.MapValue ? value.Map!.Fields : SpecialFields.Of(value.Btf, value.TypeId);
        if (fields.At(offset) is not { Kind: SpecialFieldKind.Kptr or SpecialFieldKind.KptrPerCpu } field)
            return Fail(DiagnosticId.SpecialField, $"there is no kptr that owns its object at offset {offset}", "declare the field as struct T __kptr *p");
        arguments.Kptr = field;
        (arguments.ResultBtf, arguments.ResultType) = ResolveKptr(value.Kind == RegisterKind.MapValue ? value.Map!.Btf : value.Btf, field.TypeId);
        return true;
    }

    private bool CheckKptrValue(RegisterState value, CallArguments arguments)
    {
        if (value.Offset != 0 || value.Btf is null || arguments.ResultBtf is null)
            return Fail(DiagnosticId.SpecialField, "the pointer that is stored has an offset", null);
        return value.Btf.NameOf(value.TypeId) == arguments.ResultBtf.NameOf(arguments.ResultType)
            || Fail(DiagnosticId.SpecialField, $"{Describe(value)} is stored in a kptr of another type", null);
    }

    private RegisterState KptrResult(CallArguments arguments)
    {
        PointerFlags flags = PointerFlags.MaybeNull;
        if (IsOwnType(arguments.ResultBtf, arguments.ResultType))
            flags |= PointerFlags.Allocated;
        if (arguments.Kptr?.Kind == SpecialFieldKind.KptrPerCpu)
            flags |= PointerFlags.PerCpu;
        return new RegisterState { Kind = RegisterKind.BtfObject, Flags = flags, Btf = arguments.ResultBtf, TypeId = arguments.ResultType };
    }

    private bool CheckConstantString(int register, RegisterState value, CallArguments arguments)
    {
        MapInfo map = value.Map!;
        if (!map.IsReadOnly || map.Section is not { } section || !value.Bounds.IsConstant)
            return Fail(DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} must be a constant string", "static const char format[] = \"...\";");
        long offset = value.Offset + value.Bounds.SMin;
        if (!CheckMapAccess(register, value, value.Offset, 1, AccessKind.Read, isDirect: false, allowsZero: false))
            return false;
        for (long at = offset; at < section.Contents.Length; at++)
        {
            if (section.Contents[(int)at] == 0)
                return true;
        }

        return Fail(DiagnosticId.HelperArgument, $"the string in argument {register} of {arguments.Name} has no end", null);
    }

    /// <summary>The data argument of bpf_snprintf holds as many numbers as the format wants.</summary>
    private bool CheckFormat()
    {
        RegisterState format = Registers[3];
        if (format.Kind != RegisterKind.MapValue || format.Map!.Section is not { } section || !format.Bounds.IsConstant)
            return true;
        ref readonly Domain.ScalarBounds size = ref Registers[5].Bounds;
        if (!size.IsConstant || size.UMin % 8 != 0)
            return Fail(DiagnosticId.HelperArgument, "the data of bpf_snprintf must be an array of 8-byte numbers of constant size", null);
        return FormatString.Count(section, format.Offset + format.Bounds.SMin) is { } count && count <= (int)(size.UMin / 8)
            || Fail(DiagnosticId.HelperArgument, "the format of bpf_snprintf is not valid, or wants more numbers than it gets", "give every conversion of the format its number");
    }

    /// <summary>Memory behind a dynptr: map values only, as the kernel has it.</summary>
    private bool CheckDynptrMemory() => Registers[1].Kind == RegisterKind.MapValue || Fail(
        DiagnosticId.Dynptr, $"bpf_dynptr_from_mem takes map values only, not {Describe(Registers[1])}", null);
}

/// <summary>Format strings of bpf_snprintf and bpf_trace_printk.</summary>
internal static class FormatString
{
    /// <summary>How many arguments the format wants; null if it is not valid.</summary>
    public static int? Count(BpfDataSection section, long offset)
    {
        int count = 0;
        for (long at = offset; at < section.Contents.Length; at++)
        {
            byte c = section.Contents[(int)at];
            if (c == 0)
                return count;
            if (c >= 0x80 || (c < 0x20 && c is not ((byte)'\n' or (byte)'\t' or (byte)'\r')))
                return null;
            if (c != '%')
                continue;
            at++;
            if (at >= section.Contents.Length)
                return null;
            if (section.Contents[(int)at] == '%')
                continue;
            while (at < section.Contents.Length && section.Contents[(int)at] is >= (byte)'0' and <= (byte)'9' or (byte)'-' or (byte)'#' or (byte)'+' or (byte)' ' or (byte)'l')
                at++;
            if (at >= section.Contents.Length || "diuxXpsc".IndexOf((char)section.Contents[(int)at], StringComparison.Ordinal) < 0)
                return null;
            count++;
        }

        return null;
    }
}
