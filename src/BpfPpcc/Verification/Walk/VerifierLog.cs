using System.Globalization;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// A protocol of the walk in the manner of the kernel's log (kernel documentation, bpf/verifier.rst): the C lines, each instruction with the
/// registers and stack slots that it changed, and the whole state where a path begins.
/// </summary>
internal sealed class VerifierLog(TextWriter output)
{
    private readonly StringBuilder _line = new();
    private RegisterState[] _before = [];
    private StackSlot[] _stackBefore = [];
    private FrameState? _frame;
    private VerifierState? _state;
    private SourcePosition? _position;

    public void Program(string name, BpfProgramType type)
    {
        Flush();
        Forget();
        output.WriteLine($"verification of {name} as {type}:");
    }

    /// <summary>The instruction is about to be executed; what it changed is printed with it when the next one comes.</summary>
    public void Instruction(CodeImage image, int slot, VerifierState state)
    {
        Flush();
        BpfFunction function = image.FunctionAt(slot);
        int local = image.LocalSlot(slot);
        if (_frame is null || _frame.Number != state.Frame.Number || !ReferenceEquals(_state, state))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{local}: {ShowState(state)}"));
            _position = null;
        }

        SourcePosition? position = function.PositionOf(local);
        if (position is not null && position != _position)
            output.WriteLine($"; {position.Text.Trim()} @ {position.File}:{position.Line.ToString(CultureInfo.InvariantCulture)}");
        _position = position;
        _line.Append(CultureInfo.InvariantCulture, $"{local}: ({image.Code[slot].Opcode:x2}) {ModulePrinter.PrintInstruction(image.Module, function, local)}");
        Remember(state);
    }

    public void Resume(CodeImage image, int slot)
    {
        Flush();
        Forget();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nfrom a branch to {image.LocalSlot(slot)}:"));
    }

    public void Pruned(CodeImage image, int slot)
    {
        Flush();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{image.LocalSlot(slot)}: safe"));
    }

    public void Result(string text)
    {
        Flush();
        Forget();
        output.WriteLine(text);
        output.WriteLine();
    }

    private void Remember(VerifierState state)
    {
        _state = state;
        _frame = state.Frame;
        _before = [.. _frame.Registers];
        _stackBefore = new StackSlot[_frame.StackLength];
        for (int i = 0; i < _stackBefore.Length; i++)
            _stackBefore[i] = _frame[i];
    }

    private void Forget()
    {
        _frame = null;
        _state = null;
    }

    /// <summary>Ends the line of the last instruction.</summary>
    private void Flush()
    {
        if (_line.Length == 0)
            return;
        string changes = _state is not null && ReferenceEquals(_state.Frame, _frame) ? Changes(_frame) : "";
        output.WriteLine(changes.Length == 0 ? _line.ToString() : $"{_line.ToString(),-48} ;{changes}");
        _line.Clear();
    }

    private string Changes(FrameState frame)
    {
        var text = new StringBuilder();
        for (int i = 0; i < 10; i++)
        {
            if (!ReferenceEquals(frame.Registers[i], _before[i]) && frame.Registers[i].Kind != RegisterKind.NotInit)
                text.Append(CultureInfo.InvariantCulture, $" R{i}={Show(frame.Registers[i])}");
        }

        for (int i = 0; i < frame.StackLength; i++)
        {
            if (i >= _stackBefore.Length || !ReferenceEquals(frame[i], _stackBefore[i]))
                Append(text, frame, i);
        }

        return text.ToString();
    }

    private static string ShowState(VerifierState state)
    {
        FrameState frame = state.Frame;
        var text = new StringBuilder();
        if (frame.Number > 0)
            text.Append(CultureInfo.InvariantCulture, $"frame{frame.Number}: ");
        for (int i = 0; i < 10; i++)
        {
            if (frame.Registers[i].Kind != RegisterKind.NotInit)
                text.Append(CultureInfo.InvariantCulture, $"R{i}={Show(frame.Registers[i])} ");
        }

        text.Append("R10=fp0");
        for (int i = 0; i < frame.StackLength; i++)
            Append(text, frame, i);
        foreach (HeldReference held in state.References)
            text.Append(CultureInfo.InvariantCulture, $" ref={held.Id}");
        return text.ToString();
    }

    private static void Append(StringBuilder text, FrameState frame, int index)
    {
        string? shown = frame[index].Value is { } spilled ? Show(spilled) : frame[index].Bytes != 0 ? ShowBytes(frame[index]) : null;
        if (shown is not null)
            text.Append(CultureInfo.InvariantCulture, $" fp-{8 * (index + 1)}={shown}");
    }

    private static string Show(RegisterState register)
    {
        string id = register.Id == 0 ? "" : $",id={register.Id.ToString(CultureInfo.InvariantCulture)}";
        if (register.IsScalar)
            return (register.Value.IsPrecise ? "P" : "") + (register.IsConstantScalar ? Constant(register.Bounds) : $"scalar({(ShowBounds(register.Bounds) + id).TrimStart(',')})");
        var text = new StringBuilder();
        if (register.Map is { } map)
            text.Append(CultureInfo.InvariantCulture, $",map={map.Name},ks={map.KeySize},vs={map.ValueSize}");
        text.Append(id);
        if (register.ReferenceId != 0)
            text.Append(CultureInfo.InvariantCulture, $",ref={register.ReferenceId}");
        if (register.Offset != 0)
            text.Append(CultureInfo.InvariantCulture, $",off={register.Offset}");
        if (register.Kind is RegisterKind.Packet or RegisterKind.PacketMeta)
            text.Append(CultureInfo.InvariantCulture, $",r={register.Range}");
        if (register.Kind == RegisterKind.Memory)
            text.Append(CultureInfo.InvariantCulture, $",sz={register.Size}");
        if (register.Btf is { } btf && register.Kind == RegisterKind.BtfObject && register.TypeId < btf.Count)
            text.Append(CultureInfo.InvariantCulture, $",{btf.NameOf(register.TypeId)}");
        if (!register.Bounds.IsConstant || register.Bounds.UMin != 0)
            text.Append(CultureInfo.InvariantCulture, $",{ShowBounds(register.Bounds).TrimStart(',')}");
        string name = register.Kind == RegisterKind.Stack && text.Length == 0 ? "fp0" : $"{Name(register)}({text.ToString().TrimStart(',')})";
        return register.Kind == RegisterKind.Stack && register.Bounds.IsConstant && register.Bounds.UMin == 0
            ? string.Create(CultureInfo.InvariantCulture, $"fp{(register.Offset == 0 ? "0" : register.Offset)}")
            : name;
    }

    /// <summary>The kernel's names of pointer kinds (reg_type_str).</summary>
    private static string Name(RegisterState register)
    {
        string prefix = (register.Has(PointerFlags.ReadOnly) ? "rdonly_" : "") + (register.Has(PointerFlags.RingBuffer) ? "ringbuf_" : "")
            + (register.Has(PointerFlags.Rcu) ? "rcu_" : "") + (register.Has(PointerFlags.Trusted) ? "trusted_" : "")
            + (register.Has(PointerFlags.Untrusted) ? "untrusted_" : "") + (register.Has(PointerFlags.PerCpu) ? "percpu_" : "");
        string kind = register.Kind switch
        {
            RegisterKind.NotInit => "?",
            RegisterKind.Scalar => "scalar",
            RegisterKind.Context => "ctx",
            RegisterKind.MapPointer => "map_ptr",
            RegisterKind.MapValue => "map_value",
            RegisterKind.MapKey => "map_key",
            RegisterKind.Stack => "fp",
            RegisterKind.PacketMeta => "pkt_meta",
            RegisterKind.Packet => "pkt",
            RegisterKind.PacketEnd => "pkt_end",
            RegisterKind.FlowKeys => "flow_keys",
            RegisterKind.Socket => "sock",
            RegisterKind.SockCommon => "sock_common",
            RegisterKind.TcpSock => "tcp_sock",
            RegisterKind.XdpSock => "xdp_sock",
            RegisterKind.Memory => "mem",
            RegisterKind.Buffer => "buf",
            RegisterKind.TracepointBuffer => "tp_buffer",
            RegisterKind.BtfObject => "ptr",
            RegisterKind.Function => "func",
            RegisterKind.Dynptr => "dynptr_ptr",
            RegisterKind.Arena => "arena",
        };
        return prefix + kind + (register.MaybeNull ? "_or_null" : "");
    }

    private static string Constant(in ScalarBounds bounds) => bounds.SMin.ToString(CultureInfo.InvariantCulture);

    /// <summary>Only what says something, each with a comma before it.</summary>
    private static string ShowBounds(in ScalarBounds bounds)
    {
        var text = new StringBuilder();
        if (bounds.SMin != long.MinValue && (bounds.SMin < 0 || bounds.SMin != (long)bounds.UMin))
            text.Append(CultureInfo.InvariantCulture, $",smin={bounds.SMin}");
        if (bounds.SMax != long.MaxValue && bounds.SMax != (long)bounds.UMax)
            text.Append(CultureInfo.InvariantCulture, $",smax={bounds.SMax}");
        if (bounds.UMin != 0)
            text.Append(CultureInfo.InvariantCulture, $",umin={bounds.UMin}");
        if (bounds.UMax != ulong.MaxValue)
            text.Append(CultureInfo.InvariantCulture, $",umax={bounds.UMax}");
        if (bounds.UMax > uint.MaxValue && bounds.U32Max != uint.MaxValue)
            text.Append(CultureInfo.InvariantCulture, $",umin32={bounds.U32Min},umax32={bounds.U32Max}");
        if (bounds.Known.Mask != ulong.MaxValue)
            text.Append(CultureInfo.InvariantCulture, $",var_off=(0x{bounds.Known.Value:x}; 0x{bounds.Known.Mask:x})");
        return text.ToString();
    }

    private static string ShowBytes(StackSlot slot)
    {
        var text = new StringBuilder();
        for (int i = 7; i >= 0; i--)
        {
            text.Append(slot[i] switch
            {
                StackByte.Invalid => '?',
                StackByte.Spill => 'r',
                StackByte.Misc => 'm',
                StackByte.Zero => '0',
                StackByte.Dynptr => 'd',
                StackByte.Iterator => 'i',
                StackByte.IrqFlag => 'f',
            });
        }

        return text.ToString();
    }
}
