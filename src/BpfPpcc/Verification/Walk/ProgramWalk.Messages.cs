using System.Globalization;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>What is said to the user: plain words for abstract values.</summary>
internal sealed partial class ProgramWalk
{
    private bool Fail(DiagnosticId id, string message, string? help)
    {
        Error ??= new WalkError(id, message, help, _slot);
        return false;
    }

    /// <summary>What the programmer calls the pointer in a register that the current instruction accesses memory through.</summary>
    private string PointerName(int register) => SourceExpression.PointerOf(Expression()) is { } name ? $"'{name}'" : DescribeRegister("the pointer", register);

    /// <summary>What accesses memory: "'p->count'", "argument 2 of bpf_xdp_load_bytes", "the access through r1".</summary>
    private string AccessName(int register) => Current.IsCall ? string.Create(CultureInfo.InvariantCulture, $"argument {register} of {CalleeAt(_slot)}")
        : Expression() is { } name ? $"'{name}'"
        : PositionOf(_slot) is null ? string.Create(CultureInfo.InvariantCulture, $"the access through r{register}")
        : "this access";

    /// <summary>The C expression of the current instruction, if it can be told.</summary>
    private string? Expression() => PositionOf(_slot) is { } position ? SourceExpression.At(position.Text, position.Column) : null;

    /// <summary>Registers are mentioned in brackets where the reader has a line of C, and alone where not.</summary>
    private string DescribeRegister(string what, int register) =>
        string.Create(CultureInfo.InvariantCulture, $"{(PositionOf(_slot) is null ? "" : what + " (")}r{register}{(PositionOf(_slot) is null ? "" : ")")}");

    /// <summary>"1 byte", "4 bytes".</summary>
    private static string Bytes(long count) => count == 1 ? "1 byte" : string.Create(CultureInfo.InvariantCulture, $"{count} bytes");

    private static string Describe(RegisterState register)
    {
        string what = register.Kind switch
        {
            RegisterKind.NotInit => "nothing",
            RegisterKind.Scalar => "a number",
            RegisterKind.Context => "the context",
            RegisterKind.MapPointer => $"the map '{register.Map?.Name}'",
            RegisterKind.MapValue => register.Map is { Section: null } map ? $"a pointer to a value of the map '{map.Name}'" : register.Map is null ? "a pointer to a map value" : $"a pointer to {DescribeVariable(register)}",
            RegisterKind.MapKey => "a pointer to a map key",
            RegisterKind.Stack => "a pointer to the stack",
            RegisterKind.PacketMeta => "a pointer to the packet's metadata",
            RegisterKind.Packet => "a pointer into the packet",
            RegisterKind.PacketEnd => "the end of the packet",
            RegisterKind.FlowKeys => "a pointer to the flow keys",
            RegisterKind.Socket => "a socket",
            RegisterKind.SockCommon => "a socket (bpf_sock of any kind)",
            RegisterKind.TcpSock => "a TCP socket",
            RegisterKind.XdpSock => "an XDP socket",
            RegisterKind.Memory => $"a pointer to {Bytes(register.Size)} of memory",
            RegisterKind.Buffer => "a pointer to a buffer",
            RegisterKind.TracepointBuffer => "a pointer to a tracepoint's buffer",
            RegisterKind.BtfObject => $"a pointer to {TypeName(register)}",
            RegisterKind.Function => "the address of a function",
            RegisterKind.Dynptr => "a dynptr",
            RegisterKind.Arena => "a pointer into an arena",
        };
        return what;
    }

    private static string TypeName(RegisterState register) =>
        register.Btf is { } btf && register.TypeId < btf.Count && btf.NameOf(register.TypeId) is { Length: > 0 } name ? $"struct {name}" : "a kernel object";

    private static string DescribeMap(MapInfo map) => map.Section is null ? $"the map '{map.Name}'" : $"the section {map.Name}";

    private static string Describe(SpecialFieldKind kind) => kind switch
    {
        SpecialFieldKind.SpinLock => "bpf_spin_lock",
        SpecialFieldKind.ResilientSpinLock => "bpf_res_spin_lock",
        SpecialFieldKind.Timer => "bpf_timer",
        SpecialFieldKind.Workqueue => "bpf_wq",
        SpecialFieldKind.KptrUntrusted or SpecialFieldKind.Kptr or SpecialFieldKind.KptrPerCpu or SpecialFieldKind.UserPointer => "kptr",
        SpecialFieldKind.ListHead => "bpf_list_head",
        SpecialFieldKind.ListNode => "bpf_list_node",
        SpecialFieldKind.TreeRoot => "bpf_rb_root",
        SpecialFieldKind.TreeNode => "bpf_rb_node",
        SpecialFieldKind.RefCount => "bpf_refcount",
    };

    /// <summary>The global variable that a pointer into a section points to: "'limit' (in .rodata)".</summary>
    private static string DescribeVariable(RegisterState pointer) =>
        pointer.Map is { Section: { } section } map && section.VariableAt(pointer.Offset) is { } variable
            ? $"'{variable.Name}' (in {map.Name})"
            : $"a variable in {pointer.Map?.Name}";

    /// <summary>"7", "0 to 255", "any number".</summary>
    private static string DescribeRange(in ScalarBounds bounds)
    {
        if (bounds.IsEmpty)
            return "no number at all";
        if (bounds.IsConstant)
            return Signed(bounds.SMin);
        if (KnowsLowHalfOnly(bounds))
            return string.Create(CultureInfo.InvariantCulture, $"a number of which only the low 32 bits are bounded ({bounds.U32Min} to {bounds.U32Max}), the high 32 bits may be anything");
        if (bounds.SMin >= 0 && bounds.SMax == long.MaxValue)
            return $"{Signed(bounds.SMin)} or more";
        if (bounds.SMin != long.MinValue || bounds.SMax != long.MaxValue)
            return bounds.SMin == long.MinValue ? $"{Signed(bounds.SMax)} or less, also negative" : $"{Signed(bounds.SMin)} to {Signed(bounds.SMax)}";
        return bounds.UMax == ulong.MaxValue && bounds.UMin == 0 ? "any number" : $"{Unsigned(bounds.UMin)} to {Unsigned(bounds.UMax)}";
    }

    /// <summary>A check of a 32-bit copy bounds the low half and leaves the high one open.</summary>
    private static bool KnowsLowHalfOnly(in ScalarBounds bounds) =>
        bounds.UMax > uint.MaxValue && bounds.SMax > uint.MaxValue && bounds.U32Max - bounds.U32Min < int.MaxValue && !bounds.IsConstant;

    private static string Signed(long number) => number switch
    {
        long.MaxValue => "2^63-1",
        long.MinValue => "-2^63",
        _ => number.ToString(CultureInfo.InvariantCulture),
    };

    private static string Unsigned(ulong number) => number == ulong.MaxValue ? "2^64-1" : number.ToString(CultureInfo.InvariantCulture);

    private static string DescribeOffset(RegisterState address, long offset)
    {
        ref readonly ScalarBounds bounds = ref address.Bounds;
        if (bounds.IsConstant)
            return (bounds.SMin + offset).ToString(CultureInfo.InvariantCulture);
        bool isBounded = bounds.SMin > -MaximumOffset && bounds.SMax < MaximumOffset;
        return isBounded
            ? string.Create(CultureInfo.InvariantCulture, $"{bounds.SMin + offset} to {bounds.SMax + offset}")
            : offset == 0 ? DescribeRange(bounds) : string.Create(CultureInfo.InvariantCulture, $"{offset} + ({DescribeRange(bounds)})");
    }
}
