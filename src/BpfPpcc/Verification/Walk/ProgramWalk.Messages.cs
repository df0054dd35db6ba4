using System.Globalization;
using BpfPpcc.Bpf;
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

    private bool FailBudget() => Fail(
        DiagnosticId.VerifierBudgetExceeded,
        string.Create(CultureInfo.InvariantCulture, $"after {_options.Budget} instructions on all paths together the end is not in sight"),
        "a loop may have too many rounds or too many branches: bound it by a smaller constant, use bpf_loop, or raise --verify-budget");

    private static string Describe(RegisterState register)
    {
        string what = register.Kind switch
        {
            RegisterKind.NotInit => "nothing",
            RegisterKind.Scalar => "a number",
            RegisterKind.Context => "the context",
            RegisterKind.MapPointer => $"the map {register.Map?.Name}",
            RegisterKind.MapValue => register.Map is { Section: null } map ? $"a pointer to a value of the map {map.Name}" : $"a pointer to a variable in {register.Map?.Name}",
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
            RegisterKind.Memory => string.Create(CultureInfo.InvariantCulture, $"a pointer to {register.Size} bytes of memory"),
            RegisterKind.Buffer => "a pointer to a buffer",
            RegisterKind.TracepointBuffer => "a pointer to a tracepoint's buffer",
            RegisterKind.BtfObject => $"a pointer to {TypeName(register)}",
            RegisterKind.Function => "the address of a function",
            RegisterKind.Dynptr => "a dynptr",
        };
        return what;
    }

    private static string TypeName(RegisterState register) =>
        register.Btf is { } btf && register.TypeId < btf.Count && btf.NameOf(register.TypeId) is { Length: > 0 } name ? $"struct {name}" : "a kernel object";

    private static string DescribeMap(MapInfo map) => map.Section is null ? $"the map {map.Name}" : $"the section {map.Name}";

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

    /// <summary>"7", "0 to 255", "any number".</summary>
    private static string DescribeRange(in ScalarBounds bounds)
    {
        if (bounds.IsConstant)
            return bounds.SMin.ToString(CultureInfo.InvariantCulture);
        if (bounds.SMin == long.MinValue && bounds.SMax == long.MaxValue && bounds.UMax == ulong.MaxValue)
            return "any number";
        return bounds.SMin >= 0 || bounds.SMin != long.MinValue
            ? string.Create(CultureInfo.InvariantCulture, $"{bounds.SMin} to {bounds.SMax}")
            : string.Create(CultureInfo.InvariantCulture, $"{bounds.UMin} to {bounds.UMax}");
    }

    private static string DescribeOffset(RegisterState address, long offset)
    {
        ref readonly ScalarBounds bounds = ref address.Bounds;
        if (bounds.IsConstant)
            return (bounds.SMin + offset).ToString(CultureInfo.InvariantCulture);
        return offset == 0 ? DescribeRange(bounds) : string.Create(CultureInfo.InvariantCulture, $"{offset} + ({DescribeRange(bounds)})");
    }

    /// <summary>Where a value came from: the last instructions that made it, by source line.</summary>
    private string DescribeOrigin(RegisterState register)
    {
        const int MaximumSteps = 3;
        var steps = new List<string>();
        int lastLine = -1;
        for (ScalarNode? node = register.Value; node is not null && steps.Count < MaximumSteps; node = node.First)
        {
            if (node.Slot < 0 || node.Slot == _slot)
                continue;
            string? step = DescribeStep(node, ref lastLine);
            if (step is not null)
                steps.Add(step);
        }

        return steps.Count == 0 ? "" : $"; the value comes from {string.Join(", before from ", steps)}";
    }

    private string? DescribeStep(ScalarNode node, ref int lastLine)
    {
        int slot = _image.LocalSlot(node.Slot);
        if (_image.FunctionAt(node.Slot).PositionOf(slot) is not { } position)
        {
            if (slot == lastLine)
                return null;
            lastLine = slot;
            return string.Create(CultureInfo.InvariantCulture, $"instruction {slot} ({BpfPrinter.Print(_image.Code[node.Slot])}), where it was {DescribeRange(node.Bounds)}");
        }

        if (position.Line == lastLine)
            return null;
        lastLine = position.Line;
        return string.Create(CultureInfo.InvariantCulture, $"line {position.Line} ({position.Text}), where it was {DescribeRange(node.Bounds)}");
    }
}
