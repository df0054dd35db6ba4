using System.Text;
using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Walk;

/// <summary>A protocol of the walk, in the manner of the kernel's log: each instruction with the registers before it.</summary>
internal sealed class VerifierLog(TextWriter output)
{
    private readonly StringBuilder _line = new();

    public void Program(string name) => output.WriteLine($"verify {name}");

    public void Instruction(CodeImage image, int slot, VerifierState state)
    {
        _line.Clear();
        _line.Append(image.LocalSlot(slot)).Append(": ").Append(BpfPrinter.Print(image.Code[slot]));
        _line.Append(" ;");
        FrameState frame = state.Frame;
        for (int i = 0; i < 10; i++)
        {
            if (frame.Registers[i].Kind != RegisterKind.NotInit)
                _line.Append(" R").Append(i).Append('=').Append(Show(frame.Registers[i]));
        }

        for (int i = 0; i < frame.StackLength; i++)
        {
            if (frame[i].Value is { } spilled)
                _line.Append(" fp-").Append(8 * (i + 1)).Append('=').Append(Show(spilled));
            else if (frame[i].Bytes != 0)
                _line.Append(" fp-").Append(8 * (i + 1)).Append('=').Append(ShowBytes(frame[i]));
        }

        output.WriteLine(_line);
    }

    public void Resume(CodeImage image, int slot) => output.WriteLine($"from a branch to {image.LocalSlot(slot)}:");

    public void Pruned(CodeImage image, int slot) => output.WriteLine($"{image.LocalSlot(slot)}: safe");

    public void Result(string text) => output.WriteLine(text);

    private static string Show(RegisterState register)
    {
        if (register.IsScalar)
            return $"scalar({register.Bounds}{(register.Id != 0 ? $" id={register.Id}" : "")}{(register.IsLinkedByOffset ? $"+{register.Offset}" : "")}{(register.Value.IsPrecise ? " P" : "")})";
        string flags = register.Flags == PointerFlags.None ? "" : $" {register.Flags}";
        string variable = register.Bounds.IsConstant && register.Bounds.UMin == 0 ? "" : $" var={register.Bounds}";
        string id = register.Id == 0 ? "" : $" id={register.Id}";
        string reference = register.ReferenceId == 0 ? "" : $" ref={register.ReferenceId}";
        string range = register.Range == 0 ? "" : $" r={register.Range}";
        return $"{register.Kind}({register.Map?.Name} off={register.Offset}{variable}{flags}{id}{reference}{range} size={register.Size})";
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
